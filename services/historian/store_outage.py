"""The books of an outage of the store: what was due while it was away, and what of that is stored when it has caught up."""

from collections.abc import Mapping
from dataclasses import dataclass

from plant import times
from plant.ledger import Position


@dataclass(slots=True)
class StoreOutage:
    """From ``begun`` (UTC microseconds) on. ``before``: positions as the last commit left them; ``missing``: batches that were known to be missing then."""

    begun: int
    before: Mapping[str, Position]
    missing: int
    samples: int = 0
    ended: int | None = None

    def committed(self, samples: int, now: int) -> None:
        """A commit after the store came back."""
        self.ended = self.ended or now
        self.samples += samples

    def told(self, after: Mapping[str, Position], missing: int) -> str:
        """Expected, stored and lost, for people, when the stream is drained. Expected by the numbers that gateways give their batches; of a gateway that
        began anew meanwhile, those of its new run."""
        expected = sum(_advance(self.before.get(device), position) for device, position in after.items())
        lost = max(0, missing - self.missing)
        span = f"from {times.format_time(self.begun)} to {times.format_time(self.ended or self.begun)}"
        return (
            f"the store was away {span} and has caught up: {expected} batches were due by their numbers, {expected - lost} are stored with "
            f"{self.samples} samples, {lost} lost"
        )


def _advance(before: Position | None, after: Position) -> int:
    if before is None or before.epoch != after.epoch:
        return after.sequence + 1
    return after.sequence - before.sequence
