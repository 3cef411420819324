"""Calls of methods by the tags that stand for them (OPC UA Part 4, 5.12.2).

Rules:

1. A method without arguments is called by writing 1; one with a single argument gets the value, in the exact type that the method declares.
2. What a method did cannot be read back: a call that the server took is ACCEPTED at the most.
"""

from collections.abc import Sequence
from typing import Final

from asyncua import ua
from asyncua.ua.uaprotocol_auto import Argument

from drivers.opcua.connection import Connection
from drivers.opcua.link_errors import speaking_of
from drivers.opcua.sent_once import refusal_of, sent_once, unreadable
from drivers.opcua.value_type import Unwritable, built_in_type, variant_of
from drivers.session import WriteAttempt, WriteOutcome, WriteStatus
from plant.command import CommandValue
from plant.errors import DeviceProtocolError, DeviceUnreachable
from plant.quality import Quality, stored_form

_INPUT_ARGUMENTS: Final = ua.QualifiedName("InputArguments", 0)


class MethodCaller:
    """The arguments of a method are read before each call: a program that is loaded anew may have changed them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def call(self, owner: ua.NodeId, method: ua.NodeId, value: CommandValue, attempt: WriteAttempt) -> WriteOutcome:
        """Never raises for the link's sake."""
        try:
            arguments = _arguments(await self._declared(method), value)
        except (DeviceUnreachable, DeviceProtocolError) as error:
            return WriteOutcome(WriteStatus.NOT_SENT, f"nothing was called: {error}", Quality.BAD_NOT_CONNECTED)
        except Unwritable as error:
            return WriteOutcome(WriteStatus.NOT_SENT, f"nothing was called: {error}", Quality.BAD_TYPE_MISMATCH)
        if not self._connection.is_open:
            return WriteOutcome(WriteStatus.NOT_SENT, "nothing was called: the connection is closed", Quality.BAD_NOT_CONNECTED)
        request = ua.CallMethodRequest(ObjectId=owner, MethodId=method, InputArguments=list(arguments))
        attempt.leaves()
        results = await sent_once(self._connection, "the call", lambda: self._connection.services.call([request]))
        if isinstance(results, WriteOutcome):
            return results
        if len(results) != 1:
            return unreadable("the call")
        refusal = refusal_of(stored_form(results[0].StatusCode.value), "the call")
        return refusal or WriteOutcome(WriteStatus.ACCEPTED, "the server called the method; what it did cannot be read back", Quality.GOOD)

    async def _declared(self, method: ua.NodeId) -> Sequence[Argument]:
        property_of = ua.NodeId(ua.Int32(ua.ObjectIds.HasProperty))
        step = ua.RelativePathElement(ReferenceTypeId=property_of, TargetName=_INPUT_ARGUMENTS)
        step.IsInverse = False  # type: ignore[assignment]  # the library declares a stand-in for bool, and its default is True
        path = ua.RelativePath(Elements=[step])
        with speaking_of("a read of the arguments of a method"):
            (found,) = await self._connection.services.translate_browsepaths_to_nodeids([ua.BrowsePath(StartingNode=method, RelativePath=path)])
            if not found.StatusCode.is_good() or not found.Targets:
                return ()
            target = found.Targets[0].TargetId
            (answer,) = await self._connection.read([ua.NodeId(target.Identifier, target.NamespaceIndex)])
        declared = answer.Value.Value if answer.Value is not None else None
        # The library's decoder makes the base class of ua.Argument.
        arguments = [argument for argument in declared or () if isinstance(argument, Argument)]
        if len(arguments) != len(declared or ()):
            raise DeviceProtocolError("the server's arguments of a method are none")
        return arguments


def _arguments(declared: Sequence[Argument], value: CommandValue) -> Sequence[ua.Variant]:
    """Raises ``Unwritable`` where ``value`` does not fit the method."""
    if not declared:
        if value != 1:
            raise Unwritable(f"the method takes no argument: it is called by writing 1, not {value!r}")
        return ()
    if len(declared) > 1:
        raise Unwritable(f"the method takes {len(declared)} arguments, and a tag has one value")
    (argument,) = declared
    variant_type = built_in_type(argument.DataType)
    if variant_type is None or argument.ValueRank >= 0:
        raise Unwritable(f"the argument {argument.Name} of the method is no number and no text")
    return (variant_of(value, variant_type),)
