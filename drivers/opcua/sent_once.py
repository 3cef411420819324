"""A request that changes something: sent once, and what became of it.

Rules:

1. What is not known to have failed may have been done: no answer, or one that speaks of a failure at the server or behind it, is UNKNOWN. A gateway answers
   so after it sent the request on to its device.
2. A request without an answer ends the connection, so that what has not left by then never leaves.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from asyncua import ua

from drivers.opcua.connection import Connection
from drivers.opcua.link_errors import speaking_of
from drivers.session import WriteOutcome, WriteStatus
from plant.errors import DeviceProtocolError, DeviceUnreachable
from plant.quality import Quality, is_bad, quality_name, stored_form

_UNDECIDED: Final = {
    Quality.BAD_UNEXPECTED_ERROR,
    Quality.BAD_INTERNAL_ERROR,
    Quality.BAD_COMMUNICATION_ERROR,
    Quality.BAD_TIMEOUT,
    Quality.BAD_NO_COMMUNICATION,
    Quality.BAD_REQUEST_TIMEOUT,
    Quality.BAD_DEVICE_FAILURE,
}

Answer = TypeVar("Answer")


async def sent_once(connection: Connection, what: str, send: Callable[[], Awaitable[Answer]]) -> Answer | WriteOutcome:
    """The server's answer to ``send``, or the outcome where there is none or the whole service was refused."""
    try:
        with speaking_of(what):
            answer = await send()
    except asyncio.CancelledError:
        connection.drop()
        raise
    except (DeviceUnreachable, DeviceProtocolError) as error:
        refusal = error.__cause__
        # A code of the channel is raised in every request that waits, and says nothing of this one.
        if not isinstance(refusal, ua.UaStatusCodeError) or not connection.is_open:
            connection.drop()
            return WriteOutcome(WriteStatus.UNKNOWN, f"{error}: it may have been done", Quality.BAD_TIMEOUT)
        return refusal_of(stored_form(refusal.code), what) or unreadable(what)
    return answer


def refusal_of(quality: int, what: str) -> WriteOutcome | None:
    """The outcome that a StatusCode, in its stored form, means for one operation; ``None`` where it was done."""
    if quality in _UNDECIDED:
        return WriteOutcome(WriteStatus.UNKNOWN, f"the server answered {what} with {quality_name(quality)}: it may have been done", quality)
    if is_bad(quality):
        return WriteOutcome(WriteStatus.REJECTED, f"the server refused {what}: {quality_name(quality)}", quality)
    return None


def unreadable(what: str) -> WriteOutcome:
    """The outcome of an answer that says nothing of the one operation that was sent."""
    detail = f"the server's answer to {what} does not say what became of it: it may have been done"
    return WriteOutcome(WriteStatus.UNKNOWN, detail, Quality.BAD_UNKNOWN_RESPONSE)
