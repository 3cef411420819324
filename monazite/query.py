"""``monazite query``: history from the shell, straight from the store."""

import contextlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

import numpy as np
from rich.console import Console
from rich.table import Table

from monazite.settings import Settings
from monazite.site_of import site_of
from plant import Batch, ConfigurationError, Problem, SampleBatch, Tag, times
from plant.aggregates import AggregateFunction
from plant.quality import quality_name
from services.retrieval import ARROW, CSV, JSON, PARQUET, Intervals, Processed, pieces
from services.store import Store, open_store

_MEDIA: Final = {"csv": CSV, "json": JSON, "arrow": ARROW, "parquet": PARQUET}


@dataclass(frozen=True, slots=True)
class Question:
    """``start`` and ``end`` as people write them; ``function`` and ``interval`` both or neither."""

    tags: Sequence[str]
    start: str
    end: str
    function: AggregateFunction | None
    interval: str
    format: str


def run(settings: Settings, question: Question, out: BinaryIO) -> None:
    """Writes the answer to ``out``.

    Raises:
        ConfigurationError: the question makes no sense, or the site has no such tag.
        StoreUnavailable: the store is away.
    """
    site = site_of(settings)
    unknown = [name for name in question.tags if name not in site.by_name]
    if unknown:
        raise ConfigurationError([_problem("TAG", f"there is no tag {name!r}", "the names are in tags.csv of the site") for name in unknown])
    tags = [site.by_name[name] for name in dict.fromkeys(question.tags)]
    texts = {tag.data_type.is_text for tag in tags}
    if len(texts) != 1 or (question.function is not None and True in texts):
        raise ConfigurationError([_problem("TAG", "numbers and texts do not go into one answer, and texts have no aggregates", "ask for each kind apart")])
    now = times.now()
    start, end = _time(question.start, "--from", now), _time(question.end, "--to", now)
    with contextlib.closing(open_store(settings.store_url)) as store:
        rows = _rows(store, tags, start, end, question)
        if question.format == "table":
            _write_table(rows, out)
        else:
            out.writelines(pieces(_MEDIA[question.format], rows, is_text=texts.pop()))


def _rows(store: Store, tags: Sequence[Tag], start: int, end: int, question: Question) -> Iterator[tuple[Tag, Batch]]:
    if question.function is None:
        for tag in tags:
            for batch in store.scan_texts(tag.id, start, end) if tag.data_type.is_text else store.scan(tag.id, start, end):
                yield tag, batch
        return
    try:
        intervals = Intervals(start, end, times.parse_duration(question.interval))
    except ValueError as error:
        raise ConfigurationError([_problem("--interval", str(error), "write it as in 10s, 1m, 1h")]) from None
    for tag in tags:
        found = Processed(store).aggregates(tag, question.function, intervals)
        yield tag, SampleBatch(np.full(len(found), tag.id, np.int32), found.time, found.value, found.quality)


def _write_table(rows: Iterator[tuple[Tag, Batch]], out: BinaryIO) -> None:
    table = Table("tag", "time", "value", "unit", "quality")
    for tag, batch in rows:
        for time, value, quality in zip(batch.time.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True):
            shown = value if isinstance(value, str) else f"{value:.6g}"
            table.add_row(tag.name, times.format_time(time), shown, tag.engineering_unit, quality_name(quality))
    text = io.StringIO()
    Console(file=text, width=140).print(table)
    out.write(text.getvalue().encode())


def _time(text: str, option: str, now: int) -> int:
    try:
        return times.parse_time(text, now)
    except ValueError as error:
        raise ConfigurationError([_problem(option, str(error), "write it as in 2026-11-23T04:00:00Z, -1h, or now")]) from None


def _problem(where: str, message: str, mend: str) -> Problem:
    return Problem(where, None, None, message, mend)
