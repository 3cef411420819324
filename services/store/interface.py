"""The seam between the services and a database: what every store does.

Calls block and are made from worker threads. One process writes history (the historian); any number read beside it. Every method that cannot reach
the database raises ``StoreUnavailable``, after which the same call may simply be made again. ``commit``, ``save_gap`` and ``save_events`` raise
``Unstorable`` for what no further try will store, and have then written nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from plant.batch import SampleBatch, TextBatch
from plant.event import Event
from plant.ledger import Gap, Position
from plant.tag import Tag


@dataclass(frozen=True, slots=True)
class Commit:
    """What the historian commits in one transaction. ``samples`` and ``texts`` may hold one (tag, time) several times: the last one counts."""

    samples: SampleBatch
    texts: TextBatch
    positions: Sequence[Position] = ()
    gaps: Sequence[Gap] = ()


@dataclass(frozen=True, slots=True)
class CommitReport:
    """What a commit changed: rows ``inserted``; ``unchanged`` rows that were there already; ``revised`` rows that had another value or quality.

    The old and new value of a revised row are in ``sample_revision``.
    """

    inserted: int
    unchanged: int
    revised: int


@dataclass(frozen=True, slots=True)
class Account:
    """A user who may log in. ``password_hash`` is an Argon2id string."""

    name: str
    password_hash: str
    role: str


class Store(Protocol):
    """A database of history, ledger, events and accounts."""

    @property
    def features(self) -> Mapping[str, str]:
        """What was found at connect, for the log and ``readyz``: product, version, TimescaleDB version or ``"none"``."""
        ...

    def prepare(self, tags: Sequence[Tag]) -> None:
        """Makes the schema where it is missing, registers the tags and brings the snapshot up to what was committed and not saved in it.

        Called by the historian before anything else; safe to repeat.

        Raises:
            ConfigurationError: a tag's id belongs to another name already.
        """
        ...

    def commit(self, commit: Commit) -> CommitReport:
        """Writes in one transaction, durable on return. Writing the same again changes nothing. Bad samples are stored with what they carry."""
        ...

    def positions(self) -> Mapping[str, Position]:
        """Position of every device, by name."""
        ...

    def save_snapshot(self, samples: SampleBatch, texts: TextBatch) -> None:
        """Replaces the current value of the tags named; the others stay. Each tag at most once."""
        ...

    def snapshot(self) -> tuple[SampleBatch, TextBatch]:
        """Last saved current values, at most one a tag."""
        ...

    def samples(self, tag_id: int, start: int, end: int, limit: int) -> SampleBatch:
        """Samples with ``start <= time < end``, oldest first, at most ``limit``."""
        ...

    def texts(self, tag_id: int, start: int, end: int, limit: int) -> TextBatch:
        """As ``samples``, for text tags."""
        ...

    def sample_before(self, tag_id: int, time: int) -> SampleBatch:
        """The newest sample at or before ``time``, or an empty batch."""
        ...

    def sample_after(self, tag_id: int, time: int) -> SampleBatch:
        """The oldest sample after ``time``, or an empty batch."""
        ...

    def text_before(self, tag_id: int, time: int) -> TextBatch:
        """The newest text at or before ``time``, or an empty batch."""
        ...

    def text_after(self, tag_id: int, time: int) -> TextBatch:
        """The oldest text after ``time``, or an empty batch."""
        ...

    def gaps(self, start: int, end: int) -> Sequence[Gap]:
        """Gaps that touch ``start <= time < end``, oldest first."""
        ...

    def save_gap(self, gap: Gap) -> None:
        """Inserts a gap, or updates end and recovery of the one with the same (device, cause, start). What has ended does not begin again, in whatever
        order it is told."""
        ...

    def save_events(self, events: Sequence[Event]) -> None:
        """Appends events; one whose id is there already is left as it is."""
        ...

    def events(self, start: int, end: int, limit: int) -> Sequence[Event]:
        """Events with ``start <= time < end``, oldest first, at most ``limit``."""
        ...

    def account(self, name: str) -> Account | None:
        """The account of that name."""
        ...

    def save_account(self, account: Account) -> None:
        """Inserts or replaces an account."""
        ...

    def close(self) -> None: ...
