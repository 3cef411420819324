"""A value that moves as long as a PLC runs: what tells a stopped PLC behind a live link from one at rest."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """``tag`` (a name, a tag of the device) changes at least every ``within`` seconds while the PLC runs."""

    tag: str
    within: float
