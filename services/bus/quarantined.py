"""Looking into the quarantine: what the historian could never store, as it came."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from nats.js.errors import NotFoundError

from plant import times
from plant.errors import BusUnavailable
from services.bus import subjects
from services.bus.client import BUS_ERRORS, Bus, reason_of

REASON: Final = "Monazite-Reason"
DETAIL: Final = "Monazite-Detail"


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One message: ``number`` in the stream, ``time`` when it was put there (UTC microseconds), the ``subject`` that it came on, and its bytes."""

    number: int
    time: int
    subject: str
    reason: str
    detail: str
    data: bytes


async def quarantined(bus: Bus) -> AsyncIterator[Quarantined]:
    """Everything in the quarantine, oldest first; nothing is taken out.

    Raises:
        BusUnavailable: the bus does not say.
    """
    number = 0
    while True:
        try:
            message = await bus.streams.get_msg(subjects.QUARANTINE_STREAM, number + 1, subjects.ALL_QUARANTINE, next=True)
        except NotFoundError:
            return
        except BUS_ERRORS as error:
            raise BusUnavailable(f"the quarantine cannot be read: {reason_of(error)}") from error
        if message.seq is None or message.time is None:
            raise BusUnavailable("the quarantine cannot be read: a message came without its number or time")
        number, headers = message.seq, message.headers or {}
        subject = (message.subject or "").removeprefix(subjects.quarantine(""))
        yield Quarantined(number, times.from_datetime(message.time), subject, headers.get(REASON, ""), headers.get(DETAIL, ""), message.data or b"")
