"""Summaries of runs of samples: what every aggregate can be finished from, and what adjacent runs can be merged to.

Rule: everything that a summary sums is a sum over samples, or over the regions between one sample and the next. A region belongs to the run that holds
both its samples; merging two runs adds the region between them. So the order of merging does not matter, and a roll-up answers as the samples do.

Rule: a question reads the columns that it needs and no others. A column that was not read is not there: whoever looks at it gets ``ColumnNotRead``.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from plant.batch import Float64Column, Int16Column, Int64Column
from plant.quality import UNCERTAIN_FLOOR

NO_TIME: Final = np.iinfo(np.int64).min
"""Time of what is not there."""


class ColumnNotRead(LookupError):
    """Somebody looked at a column of summaries that whoever made them had not asked for: a mistake of the program."""


@dataclass(frozen=True, slots=True, eq=False, repr=False, init=False)
class Summaries:
    """One row for each run of consecutive samples of one tag, in order of time; a run may be empty (``first_time`` is ``NO_TIME``).

    ``columns`` names those that are there, in the order of ``COLUMNS``: all, or some as ``with_companions`` gives them. The others raise ``ColumnNotRead``.
    ``stepped`` and ``uncertain_as_bad`` hold for all rows: a sample is *usable* if it is Good, or Uncertain where ``uncertain_as_bad`` is False.
    Times are int64 UTC microseconds and ``NO_TIME`` where there is none, durations int64 microseconds, counts int64, values float64 and NaN where there
    is none, qualities int16 in the stored form and 0 in an empty run. Integrals are in the unit of the value times seconds.

    ================================================ ==============================================================================================
    ``first_time`` ``first_value`` ``first_quality`` first sample, of any quality
    ``last_time`` ``last_value`` ``last_quality``    last sample
    ``first_usable_time`` ``first_usable_value``     first usable sample
    ``last_usable_time`` ``last_usable_value``       last usable sample
    ``good_count`` ``uncertain_count`` ``bad_count`` samples by severity
    ``mean`` ``squares``                             of the Good values: mean, and sum of squared distances from it
    ``minimum`` ``minimum_time``                     lowest Good value and when it came first
    ``maximum`` ``maximum_time``                     highest
    ``uncertain_minimum`` ``uncertain_maximum``      of the Uncertain values
    ``good_duration`` ``uncertain_duration``         regions that start with a Good, an Uncertain sample
    ``firm_duration``                                regions that are Good as a whole: start Good and, where the tag is continuous, end Good
    ``zero_duration``                                regions that start with a Good zero
    ``integral``                                     over regions that start usable: to the next sample if that is usable too, else held
    ``line_integral``                                from each usable sample to the next usable one, over all that lies between
    ``transitions``                                  changes of value from one usable sample to the next
    ``worst_quality``                                of the worst severity, the first
    ``bad_time``                                     first Bad sample
    ================================================ ==============================================================================================
    """

    stepped: bool
    uncertain_as_bad: bool
    columns: tuple[str, ...]
    first_time: Int64Column
    first_value: Float64Column
    first_quality: Int16Column
    last_time: Int64Column
    last_value: Float64Column
    last_quality: Int16Column
    first_usable_time: Int64Column
    first_usable_value: Float64Column
    last_usable_time: Int64Column
    last_usable_value: Float64Column
    good_count: Int64Column
    uncertain_count: Int64Column
    bad_count: Int64Column
    mean: Float64Column
    squares: Float64Column
    minimum: Float64Column
    minimum_time: Int64Column
    maximum: Float64Column
    maximum_time: Int64Column
    uncertain_minimum: Float64Column
    uncertain_maximum: Float64Column
    good_duration: Int64Column
    uncertain_duration: Int64Column
    firm_duration: Int64Column
    zero_duration: Int64Column
    integral: Float64Column
    line_integral: Float64Column
    transitions: Int64Column
    worst_quality: Int16Column
    bad_time: Int64Column

    def __init__(self, stepped: bool, uncertain_as_bad: bool, columns: Mapping[str, npt.NDArray[Any]]) -> None:
        object.__setattr__(self, "stepped", stepped)
        object.__setattr__(self, "uncertain_as_bad", uncertain_as_bad)
        object.__setattr__(self, "columns", tuple(name for name in COLUMNS if name in columns))
        for name in self.columns:
            object.__setattr__(self, name, columns[name])

    if not TYPE_CHECKING:  # for the type checker a name that is no column stays an error

        def __getattr__(self, name: str) -> object:
            """Of what has no value."""
            if name in COLUMNS:
                raise ColumnNotRead(f"the column {name} of the summaries was not read: name it where they are made or asked of the store")
            raise AttributeError(f"summaries have no {name}")

    def __len__(self) -> int:
        return len(self.first_time)

    @property
    def filled(self) -> npt.NDArray[np.bool_]:
        """True where a run holds a sample; one for each row."""
        mask: npt.NDArray[np.bool_] = self.first_time != NO_TIME
        return mask

    def select(self, index: npt.NDArray[np.bool_] | npt.NDArray[np.intp] | slice) -> "Summaries":
        """Rows by mask, positions or slice, still in order of time."""
        return Summaries(self.stepped, self.uncertain_as_bad, {name: getattr(self, name)[index] for name in self.columns})

    def told_as(self, *, stepped: bool | None = None, uncertain_as_bad: bool | None = None) -> "Summaries":
        """The same rows under another treatment, where the caller knows that it makes no difference to them."""
        return Summaries(
            self.stepped if stepped is None else stepped,
            self.uncertain_as_bad if uncertain_as_bad is None else uncertain_as_bad,
            {name: getattr(self, name) for name in self.columns},
        )

    @staticmethod
    def concatenate(parts: Sequence["Summaries"]) -> "Summaries":
        """Parts of one tag, in order of time; at least one.

        Raises:
            ValueError: the parts were summarised in different ways, or have different columns.
        """
        ways = {(part.stepped, part.uncertain_as_bad) for part in parts}
        if len(ways) != 1:
            raise ValueError(
                "summaries of a stepped and a continuous tag, or with Uncertain treated in two ways, cannot be joined: summarise the samples again"
            )
        columns = parts[0].columns
        if any(part.columns != columns for part in parts):
            raise ValueError("summaries with different columns cannot be joined: ask for the same columns of each part")
        return Summaries(*ways.pop(), {name: np.concatenate([getattr(part, name) for part in parts]) for name in columns})


COLUMNS: Final = tuple(field.name for field in fields(Summaries))[3:]
"""Names of the columns, in the order of ``Summaries``."""

KEYS: Final = COLUMNS[:6]
"""First and last sample: always there, since regions between runs are made of them."""

_USABLE: Final = ("first_usable_time", "first_usable_value", "last_usable_time", "last_usable_value")
_COMPANIONS: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys((*_USABLE, "line_integral", "transitions"), _USABLE),
    "mean": ("good_count",),
    "squares": ("good_count", "mean"),
    "minimum": ("minimum_time",),
    "minimum_time": ("minimum",),
    "maximum": ("maximum_time",),
    "maximum_time": ("maximum",),
}
"""What else must be there to merge a column, beside ``KEYS``."""

_DTYPES: Final[dict[str, npt.DTypeLike]] = {
    name: np.int16 if name.endswith("quality") else np.int64 if name.endswith(("_time", "_count", "_duration", "transitions")) else np.float64
    for name in COLUMNS
}
_NOTHING: Final = {name: NO_TIME if name.endswith("_time") else np.nan if dtype is np.float64 else 0 for name, dtype in _DTYPES.items()} | dict.fromkeys(
    ("squares", "integral", "line_integral"), 0.0
)
STORED_COLUMNS: Final = {name: np.dtype(dtype) for name, dtype in _DTYPES.items() if not name.startswith("uncertain_m")}
"""Columns that a store keeps for each bucket of a tag that holds a sample, summarised with Uncertain as Bad, and their dtypes. ``stepped`` is the tag's.

All but the Uncertain extremes, which no answer needs where Uncertain counts as Bad. A count fits 32 bits where a bucket holds less than 2**31 samples.
"""


def with_companions(names: Collection[str]) -> tuple[str, ...]:
    """The columns to read for ``names``: those, what merging them takes, and ``KEYS``; in the order of ``COLUMNS``.

    Raises:
        ValueError: there is no such column.
    """
    unknown = set(names) - set(COLUMNS)
    if unknown:
        raise ValueError(f"summaries have no {', '.join(sorted(unknown))}")
    needed = {*KEYS, *names, *(companion for name in names for companion in _COMPANIONS.get(name, ()))}
    return tuple(name for name in COLUMNS if name in needed)


def from_stored(columns: Mapping[str, npt.NDArray[np.generic]], stepped: bool, names: Collection[str] = COLUMNS) -> Summaries:
    """Summaries of a tag from what a store kept, in order of time; an integer column may come in another width. They have the columns ``names``, as
    ``with_companions`` gives them; Uncertain extremes, which no store keeps, are NaN.

    Raises:
        KeyError: a column is missing.
    """
    count = len(columns["first_time"])
    return Summaries(
        stepped,
        True,
        {name: np.asarray(columns[name]).astype(STORED_COLUMNS[name], copy=False) if name in STORED_COLUMNS else np.full(count, np.nan) for name in names},
    )


def no_summaries(count: int, stepped: bool, uncertain_as_bad: bool, columns: Collection[str] = COLUMNS) -> Summaries:
    """``count`` empty runs."""
    return Summaries(stepped, uncertain_as_bad, {name: np.full(count, _NOTHING[name], _DTYPES[name]) for name in columns})


def usable_mask(quality: Int16Column, uncertain_as_bad: bool) -> npt.NDArray[np.bool_]:
    """True where a sample may enter a calculation: Good, or Uncertain unless that is treated as Bad."""
    usable: npt.NDArray[np.bool_] = quality >= 0
    return usable & (quality < UNCERTAIN_FLOOR) if uncertain_as_bad else usable
