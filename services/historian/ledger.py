"""What the sequence of batches says about loss: pure bookkeeping of positions and gaps.

Rules:

1. Batches of one epoch have sequences without a hole. A hole is a gap, ``batch lost``, from the newest time before it to where the batch behind it
   takes up; the gap is recovered when every batch of the hole has come after all (the bus hands out again, late, what it handed to a historian that died).
2. Another epoch is another run of the gateway: between the two nothing was read, which is a gap, ``gateway stopped``. The first epoch ever opens none.
3. A batch takes up where every tag in it has its first sample: the latest of these. What a tag says later in the batch is known.
4. A new run begins with current values, and these may be old. As long as none is as new as what is stored, the position stays in the epoch before;
   after a minute of this the device's clock was set back, and the gap is told with its ends as they are.
5. A sequence that is not newer than the position was seen before or fills a hole: it does not move the position.
6. A batch that the store refuses is a gap, ``store refused``, from just before its oldest sample to a scan behind its newest; it says nothing but the batch
   itself, so that it is the same gap when the batch comes again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from plant import times
from plant.batch import Batch
from plant.envelope import Envelope
from plant.ledger import Gap, GapCause, Position

_WATCHED_HOLE: Final = 10_000
"""Widest hole, in batches, whose filling is watched for; memory stays bounded."""

_OLD_VALUES_FOR: Final = 60 * times.MICROSECONDS
"""How long, by the gateway's clock, a run may bring nothing but values older than what is stored."""


_ONE_BATCH: Final = 86_400 * times.MICROSECONDS
"""Times of one batch that lie further apart are those of a clock at random, and nothing was lost in between."""


@dataclass(slots=True)
class _Hole:
    missing: set[int]
    gap: Gap


class PositionLedger:
    """Positions of all devices, as they will be when what was noted is committed."""

    def __init__(self, positions: Mapping[str, Position]) -> None:
        self._positions = dict(positions)
        self._holes: dict[str, list[_Hole]] = {}
        self._missing = 0
        self._begun: dict[str, tuple[int, int]] = {}  # (epoch, when its first batch was received) of a device whose position is in the epoch before

    def has_passed(self, envelope: Envelope) -> bool:
        """Whether the device's position is at this batch or behind it: it was seen before, or fills a hole."""
        position = self._positions.get(envelope.device)
        return position is not None and (envelope.epoch, envelope.sequence) <= (position.epoch, position.sequence)

    def note(self, envelope: Envelope, batch: Batch) -> Sequence[Gap]:
        """Moves the device's position over a batch (not empty), and returns the gaps that this opens or recovers."""
        latest = int(batch.time.max())
        device = envelope.device
        before = self._positions.get(device)
        if before is None:
            self._positions[device] = Position(device, envelope.epoch, envelope.sequence, latest)
            return []
        if envelope.epoch > before.epoch:
            if latest < before.last_time and self._has_just_begun(envelope):
                return []
            self._positions[device] = Position(device, envelope.epoch, envelope.sequence, latest)
            self._holes.pop(device, None)
            self._begun.pop(device, None)
            return _gap(device, before.last_time, _taken_up(batch), GapCause.GATEWAY_STOPPED)
        if envelope.epoch < before.epoch:
            return []
        if envelope.sequence <= before.sequence:
            return self._fill(device, envelope.sequence)
        self._positions[device] = Position(device, envelope.epoch, envelope.sequence, max(latest, before.last_time))
        missing = range(before.sequence + 1, envelope.sequence)
        self._missing += len(missing)
        gaps = _gap(device, before.last_time, _taken_up(batch), GapCause.BATCH_LOST) if missing else []
        if gaps and len(missing) <= _WATCHED_HOLE:
            self._holes.setdefault(device, []).append(_Hole(set(missing), gaps[0]))
        return gaps

    def _has_just_begun(self, envelope: Envelope) -> bool:
        epoch, received = self._begun.get(envelope.device, (envelope.epoch, envelope.received))
        if epoch != envelope.epoch:
            received = envelope.received
        self._begun[envelope.device] = (envelope.epoch, received)
        return envelope.received - received < _OLD_VALUES_FOR

    def _fill(self, device: str, sequence: int) -> Sequence[Gap]:
        for hole in self._holes.get(device, []):
            if sequence in hole.missing:
                hole.missing.discard(sequence)
                self._missing -= 1
                if not hole.missing:
                    self._holes[device].remove(hole)
                    return [replace(hole.gap, recovered=True)]
                break
        return []

    @property
    def missing(self) -> int:
        """Batches that left holes and have not come after all, since this ledger began; of holes too wide to be watched none is seen to come."""
        return self._missing

    def positions(self, devices: set[str]) -> Sequence[Position]:
        """Positions of these devices, as far as they have any."""
        return [self._positions[device] for device in sorted(devices) if device in self._positions]


def refused(envelope: Envelope, batch: Batch, scan: int) -> Gap:
    """The gap of a batch (not empty) that can never be stored. ``scan``: microseconds from one sample to the next of the tag in it that has most. A batch
    whose times say nothing is missing where it was received."""
    oldest, newest = int(batch.time.min()), int(batch.time.max())
    if newest - oldest > _ONE_BATCH:
        oldest = newest = envelope.received
    return Gap(envelope.device, oldest - 1, newest + scan, GapCause.STORE_REFUSED)


def _taken_up(batch: Batch) -> int:
    _, first = np.unique(batch.tag_id, return_index=True)
    return int(batch.time[first].max())


def _gap(device: str, known: int, known_next: int, cause: GapCause) -> list[Gap]:
    """Between two times that are known. They run backwards when the device's clock was set, and the loss is told all the same; if they are one time, the
    device's newest sample is still the one that is stored, and there was none to lose."""
    if known == known_next:
        return []
    return [Gap(device, min(known, known_next), max(known, known_next), cause)]
