"""Who keeps account of what a device's link lost, and of what came back after all: the gateway, in the loss ledger."""

from typing import Protocol

from plant.batch import Batch
from plant.ledger import GapCause


class LossAccount(Protocol):
    """All times are source time, UTC microseconds. One loss of each cause is open at a time."""

    def lost(self, cause: GapCause, start: int) -> None:
        """Nothing, or not everything, is known of the device from ``start`` on."""
        ...

    def regained(self, cause: GapCause, end: int) -> None:
        """The loss of this cause is over."""
        ...

    def recovered(self, cause: GapCause, start: int) -> None:
        """What was missed in the losses of this cause from ``start`` on has been handed over whole."""
        ...

    async def take_history(self, batch: Batch) -> None:
        """Samples of a loss, late and complete: nothing of them is left out as unchanged."""
        ...
