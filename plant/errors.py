"""The exceptions of the house, named by who must act. A bad value is a ``Quality`` and a refused command a ``CommandResult``: neither raises.

Anything else that is raised is a defect and may end the process: the stream keeps the data and the supervisor starts the process again.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class MonaziteError(Exception):
    """Root of the family."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a configuration file: where it stands, what is wrong, and the mend."""

    file: str
    line: int | None
    field: str | None
    message: str
    mend: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        field = "" if self.field is None else f" {self.field}:"
        return f"{place}:{field} {self.message}; {self.mend}"


class ConfigurationError(MonaziteError):
    """The engineer must mend the configuration. Carries every problem found, not only the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class DeviceUnreachable(MonaziteError):
    """The device does not answer: try again later."""


class DeviceProtocolError(MonaziteError):
    """The device answered with something the protocol does not allow: the connection is dropped and made anew."""


class BusUnavailable(MonaziteError):
    """The bus did not confirm: keep what was to be published and try again."""


class StoreUnavailable(MonaziteError):
    """The store cannot be reached or written: back off, acknowledge nothing."""


class CorruptBatch(MonaziteError):
    """Bytes on the bus that are no batch: they go to quarantine, the rest goes on."""


class Unstorable(MonaziteError):
    """The store will never take this: it goes to quarantine, the rest goes on."""
