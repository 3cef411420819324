"""The seam between the services and a database: what every store does.

Calls block and are made from worker threads. One process writes history (the historian); any number read beside it. Every method that cannot reach
the database raises ``StoreUnavailable``, after which the same call may simply be made again. ``commit``, ``save_gap`` and ``save_events`` raise
``Unstorable`` for what no further try will store, and have then written nothing.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from plant.aggregates import COLUMNS, Summaries, TagSamples, summarise
from plant.batch import Float64Column, Int16Column, Int32Column, Int64Column, SampleBatch, TextBatch, TextColumn
from plant.compression_report import CompressionReport
from plant.edit import EditMode
from plant.event import Event
from plant.ledger import Gap, Position
from plant.quality import ANY_QUALITY, QualityRange
from plant.tag import Tag
from plant.times import MICROSECONDS

MINUTE: Final = 60 * MICROSECONDS
HOUR: Final = 3600 * MICROSECONDS

GapKey = tuple[int, str, str]
"""Start, device and cause of a gap: what it is one row for, in the order in which gaps are read."""

Place = tuple[int, int, int]
"""Where a revision stands among those of its tag; a later one has a larger place. What the numbers mean is the store's."""

BEFORE_ALL: Final[Place] = (-(2**63), 0, 0)


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
class Authorship:
    """Who changes history after the fact, at what time (UTC microseconds), and why."""

    user: str
    reason: str
    time: int


@dataclass(frozen=True, slots=True)
class Edit:
    """Samples to write by hand; each (tag, time) at most once."""

    samples: SampleBatch
    texts: TextBatch
    mode: EditMode
    author: Authorship


@dataclass(frozen=True, slots=True)
class EditReport:
    """What an edit changed. ``rejected`` and ``rejected_texts`` are positions in the edit's batches of samples that its mode does not allow."""

    inserted: int
    replaced: int
    unchanged: int
    rejected: npt.NDArray[np.intp]
    rejected_texts: npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Revisions:
    """Rows of ``sample_revision`` of one tag, in the order they were made; all columns have one length.

    ``time`` source time of the sample, ``revised_at`` when it was changed (int64, UTC microseconds). ``was`` and ``is_now`` (bool) say whether there was
    a sample before and is one since: an insert has no old one, a delete no new one, and the columns of what is not there are NaN, empty and 0. Values are
    float64 or texts, as the tag is. ``place`` int64 (rows, 3): a ``Place`` each, ascending.
    """

    place: npt.NDArray[np.int64]
    time: Int64Column
    revised_at: Int64Column
    was: npt.NDArray[np.bool_]
    old_value: Float64Column | TextColumn
    old_quality: Int16Column
    is_now: npt.NDArray[np.bool_]
    new_value: Float64Column | TextColumn
    new_quality: Int16Column
    user: TextColumn
    reason: TextColumn

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True, slots=True, eq=False)
class DueHours:
    """Hours of tags in which samples came, were changed or deleted since their roll-ups were made; equal lengths.

    ``tag_id`` int32, ``hour`` int64: the hour's begin, UTC microseconds. ``thinned`` (bool): its samples were thinned before, which is done once.
    """

    tag_id: Int32Column
    hour: Int64Column
    thinned: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.tag_id)

    def select(self, rows: npt.NDArray[np.bool_]) -> "DueHours":
        return DueHours(self.tag_id[rows], self.hour[rows], self.thinned[rows])


@dataclass(frozen=True, slots=True, eq=False)
class RollUps:
    """Summaries of whole minutes or whole hours: one row a tag and bucket, ordered by both. ``tag_id`` int32, ``start`` int64 begin of the bucket."""

    tag_id: Int32Column
    start: Int64Column
    summaries: Summaries

    def __len__(self) -> int:
        return len(self.tag_id)

    def select(self, rows: npt.NDArray[np.bool_]) -> "RollUps":
        return RollUps(self.tag_id[rows], self.start[rows], self.summaries.select(rows))

    @staticmethod
    def empty(*, stepped: bool = False, columns: Collection[str] = COLUMNS) -> "RollUps":
        nothing = summarise(TagSamples.empty(stepped), np.array([0, 1], np.int64), columns=columns)
        return RollUps(np.empty(0, np.int32), np.empty(0, np.int64), nothing.select(slice(0, 0)))

    @staticmethod
    def concatenate(parts: Sequence["RollUps"]) -> "RollUps":
        """At least one part, all of stepped tags or all of continuous ones; none of their rows is another's."""
        return RollUps(
            np.concatenate([part.tag_id for part in parts]),
            np.concatenate([part.start for part in parts]),
            Summaries.concatenate([part.summaries for part in parts]),
        )


@dataclass(frozen=True, slots=True)
class InputChange:
    """Samples of an input of calculated tags with ``start <= time < end`` (UTC microseconds) that came late, or were changed ``by_hand``; what is computed
    from them is to be computed again."""

    tag_id: int
    start: int
    end: int
    by_hand: bool


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
        """Brings the schema to this version, registers the tags, brings the snapshot up to what was committed and not saved in it, and makes hours that
        were in hand due again, and those of tags that are stepped now and were not, or the other way.

        Called by the historian before anything else; safe to repeat.

        Raises:
            ConfigurationError: a tag's id belongs to another name already; the schema is a newer program's; a file is damaged.
        """
        ...

    def commit(self, commit: Commit) -> CommitReport:
        """Writes in one transaction, durable on return. Writing the same again changes nothing. Bad samples are stored with what they carry. The hours of
        what was written are due (``take_due``).

        On SQLite each month of source time is a transaction of its own, and positions and gaps come in the last: never ahead of the samples.
        """
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

    def sample_before(self, tag_id: int, time: int, quality: QualityRange = ANY_QUALITY) -> SampleBatch:
        """The newest sample at or before ``time`` of a quality in this range, or an empty batch."""
        ...

    def sample_after(self, tag_id: int, time: int, quality: QualityRange = ANY_QUALITY) -> SampleBatch:
        """The oldest sample after ``time`` of a quality in this range, or an empty batch."""
        ...

    def text_before(self, tag_id: int, time: int) -> TextBatch:
        """The newest text at or before ``time``, or an empty batch."""
        ...

    def text_after(self, tag_id: int, time: int) -> TextBatch:
        """The oldest text after ``time``, or an empty batch."""
        ...

    def scan(self, tag_id: int, start: int, end: int) -> Iterator[SampleBatch]:
        """As ``samples`` without a limit, in batches of some ten thousand rows: memory stays flat however many there are. Sees one state of history
        where the database can; an iterator that is not read to its end is closed."""
        ...

    def scan_spans(self, tag_id: int, start: Int64Column, end: Int64Column) -> Iterator[SampleBatch]:
        """As ``scan``, of many spans ``start[i] <= time < end[i]``, disjoint and ascending, in one go: a batch may hold samples of several."""
        ...

    def scan_texts(self, tag_id: int, start: int, end: int) -> Iterator[TextBatch]:
        """As ``scan``, for text tags."""
        ...

    def edit(self, edit: Edit) -> EditReport:
        """Writes history after the fact; every row that is inserted or replaced is a revision. Raises ``Unstorable`` as ``commit``.

        One transaction on PostgreSQL. On SQLite each month of source time is one, oldest first, and of numbers and texts the numbers come first: an edit
        that fails or is killed may have written its first months. Made again, it writes the rest and changes nothing more.
        """
        ...

    def delete(self, tag_id: int, start: int, end: int, author: Authorship) -> int:
        """Deletes the samples (or texts) of a tag with ``start <= time < end``; each is a revision. Returns how many. If the snapshot's is among them, the
        newest that is left takes its place, or none. Transactions are those of ``edit``."""
        ...

    def revisions(self, tag_id: int, start: int, end: int, since: int, *, behind: Place = BEFORE_ALL, limit: int | None = None) -> Revisions:
        """Revisions of samples with ``start <= time < end`` that were made after ``since``, oldest revision first: at most ``limit``, of those that stand
        behind this place."""
        ...

    def take_due(self, before: int, limit: int) -> DueHours:
        """At most ``limit`` hours that end at or before ``before`` and are due, oldest first. They are in the caller's hands until ``save_roll_ups`` names
        them done; an hour that changes meanwhile is due again whatever is saved. Hours in hand when a historian died are due again when it prepares."""
        ...

    def take_back(self) -> None:
        """Hours in hand are due again: whoever took them gave up."""
        ...

    def due_hours(self, tag_id: int, start: int, end: int) -> Int64Column:
        """Begins of the hours of a tag that touch ``start <= time < end`` and whose roll-ups are not to be used, taken or not; ascending."""
        ...

    def save_roll_ups(self, minutes: RollUps, hours: RollUps, done: DueHours) -> None:
        """Replaces the roll-ups of the hours ``done`` (an hour without a row has no samples) in one transaction, and takes them off the due ones.
        Those that retention has dropped meanwhile are taken off and keep the roll-ups that they have.

        Every hour of ``minutes`` and ``hours`` is one of ``done``.
        """
        ...

    def minutes(self, tag_id: int, start: int, end: int, columns: Collection[str] = COLUMNS) -> RollUps:
        """Minutes with ``start <= begin < end``; a minute without a row has no samples, or its hour has too few for minutes to be kept. Their summaries
        have ``columns``, as ``plant.aggregates.with_companions`` gives them, and raise ``ColumnNotRead`` where another is looked at."""
        ...

    def hours(self, tag_id: int, start: int, end: int, columns: Collection[str] = COLUMNS) -> RollUps:
        """Hours with ``start <= begin < end``; an hour without a row that is not due has no samples. ``columns`` as in ``minutes``."""
        ...

    def thin(self, samples: SampleBatch, done: DueHours) -> npt.NDArray[np.bool_]:
        """Removes samples that the swinging door leaves out (no revisions: their values are kept within the tag's deviation) and remembers that their
        hours were thinned, in one transaction. The hours stay due, in the caller's hands.

        Every sample lies in one of the hours ``done``. An hour that changed since it was taken is left whole, and may be thinned the next time: its lines
        were drawn without what came. Returns which of ``done`` were thinned, bool.
        """
        ...

    def add_compression(self, reports: Sequence[CompressionReport]) -> None:
        """Adds the reports of what was thinned to those of before."""
        ...

    def compression(self, tag_id: int) -> CompressionReport | None:
        """What thinning did to a tag so far; ``None`` if it was never thinned."""
        ...

    def save_input_changes(self, changes: Sequence[InputChange]) -> None:
        """Replaces what is kept of changes that results do not show yet, in one transaction; each (tag, start) at most once."""
        ...

    def input_changes(self) -> Sequence[InputChange]:
        """What was saved last, ordered by tag and start."""
        ...

    def drop_before(self, time: int) -> Sequence[str]:
        """Retention: removes whole files, partitions or chunks of samples, texts and minutes that end before ``time``; their names. Hours stay,
        and what is written before the end of what was dropped, then or ever after, makes none of them due."""
        ...

    def kept_from(self) -> int:
        """Where retention has gone to, a whole hour: the samples of hours before are gone, their roll-ups stay, and what was written there since is in
        none. Before ``FIRST_TIME`` while nothing was dropped."""
        ...

    def size(self) -> int:
        """Bytes that history takes on disk."""
        ...

    def backup(self, folder: Path) -> None:
        """A consistent copy, made while others write, into a folder that is empty or does not exist.

        Raises:
            ConfigurationError: the folder is not empty, or the database has its own tool for this, which is named.
        """
        ...

    def gaps(self, start: int, end: int, *, behind: GapKey | None = None, limit: int | None = None) -> Sequence[Gap]:
        """Gaps that touch ``start <= time < end``, oldest first, and those that began at one time by device and cause: at most ``limit``, of those that
        stand behind this key."""
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
