"""The loss ledger: every interval in which samples of a device should have come and did not."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from plant.event import Event

GAP_EVENT: Final = "gap"
"""Kind of the event that tells of a gap."""


class GapCause(StrEnum):
    LINK_LOST = "link lost"
    DEVICE_STOPPED = "device stopped"
    QUEUE_OVERFLOW = "queue overflow"
    GATEWAY_STOPPED = "gateway stopped"
    BATCH_LOST = "batch lost"
    BUS_REFUSED = "bus refused"
    STORE_REFUSED = "store refused"


@dataclass(frozen=True, slots=True)
class Gap:
    """Nothing is known of ``device`` between ``start`` and ``end`` (source time, UTC microseconds, both excluded); ``end`` is ``None`` while it lasts.

    A gap is one row for its (device, cause, start): telling it again changes its end and whether it was recovered, and adds no row.
    """

    device: str
    start: int
    end: int | None
    cause: GapCause
    recovered: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """How far the batches of a device are stored: epoch and sequence of the newest (``plant.envelope.Envelope``), and its latest source time."""

    device: str
    epoch: int
    sequence: int
    last_time: int


def event_of_gap(gap: Gap, time: int) -> Event:
    """The event, at ``time`` (UTC microseconds), that tells of a gap. A gap told again, longer or recovered, is another event of the same gap."""
    identity = f"gap:{gap.device}:{gap.cause}:{gap.start}:{gap.end}:{gap.recovered}"
    detail = {"start": gap.start, "end": gap.end, "cause": gap.cause.value, "recovered": gap.recovered}
    return Event(identity.replace(" ", "-"), time, GAP_EVENT, gap.device, detail=detail)


def gap_of_event(event: Event) -> Gap:
    """The gap that an event made by ``event_of_gap`` tells of.

    Raises:
        ValueError: the event's detail is no gap.
    """
    start, end, recovered = event.detail.get("start"), event.detail.get("end"), event.detail.get("recovered")
    if not isinstance(start, int) or not isinstance(end, (int, type(None))) or not isinstance(recovered, bool):
        raise ValueError(f"event {event.id} tells of no gap: {dict(event.detail)}")
    return Gap(event.subject, start, end, GapCause(str(event.detail.get("cause"))), recovered)
