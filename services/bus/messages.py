"""JSON bodies of events, statuses, commands and their results on the bus (docs/formats/bus.md).

Rules. Strict: a wrong type, a missing field or bytes that are no JSON make a ``MalformedMessage``, never a half-filled value. A field that is not known
is passed over, so that services of two versions understand each other.
"""

from typing import Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from plant.command import Command, CommandResult
from plant.event import Event
from plant.link import DeviceStatus

T = TypeVar("T")

_COMMAND: Final = TypeAdapter(Command)
_RESULT: Final = TypeAdapter(CommandResult)
_STATUS: Final = TypeAdapter(DeviceStatus)
_EVENT: Final = TypeAdapter(Event)


class MalformedMessage(ValueError):
    """These bytes are not the message they should be."""


def encode_command(command: Command) -> bytes:
    return _COMMAND.dump_json(command)


def decode_command(data: bytes) -> Command:
    """Raises ``MalformedMessage``."""
    return validated(_COMMAND, data)


def encode_command_result(result: CommandResult) -> bytes:
    return _RESULT.dump_json(result)


def decode_command_result(data: bytes) -> CommandResult:
    """Raises ``MalformedMessage``."""
    return validated(_RESULT, data)


def encode_device_status(status: DeviceStatus) -> bytes:
    return _STATUS.dump_json(status)


def decode_device_status(data: bytes) -> DeviceStatus:
    """Raises ``MalformedMessage``."""
    return validated(_STATUS, data)


def encode_event(event: Event) -> bytes:
    return _EVENT.dump_json(event)


def decode_event(data: bytes) -> Event:
    """Raises ``MalformedMessage``."""
    return validated(_EVENT, data)


def validated(adapter: TypeAdapter[T], data: bytes) -> T:
    """The value that ``data`` is the JSON of. Raises ``MalformedMessage``."""
    try:
        return adapter.validate_json(data, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "body"
        raise MalformedMessage(f"{place}: {first['msg']}") from None
