"""The loss ledger: every interval in which samples of a device should have come and did not."""

from dataclasses import dataclass
from enum import StrEnum


class GapCause(StrEnum):
    LINK_LOST = "link lost"
    GATEWAY_STOPPED = "gateway stopped"
    BATCH_LOST = "batch lost"
    BUS_REFUSED = "bus refused"


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
