"""``monazite gaps``: the loss ledger, reconciled: what should have come, what is stored, what is lost."""

import contextlib
import io
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from monazite.settings import Settings
from monazite.site_of import site_of
from plant import ConfigurationError, Problem, times
from services.retrieval import Reconciliation, reconciled
from services.store import open_store


def report(settings: Settings, start: str, end: str) -> str:
    """A line a gap and a sum.

    Raises:
        ConfigurationError: a time is none.
        StoreUnavailable: the store is away.
    """
    now = times.now()
    try:
        first, last = times.parse_time(start, now), times.parse_time(end, now)
    except ValueError as error:
        raise ConfigurationError([Problem("--from, --to", None, None, str(error), "write it as in 2026-11-23T04:00:00Z, -24h, or now")]) from None
    site = site_of(settings)
    with contextlib.closing(open_store(settings.store_url)) as store:
        found = reconciled(store, site, store.gaps(first, last), now)
    return _table(found) if found else "no gap: every batch that a gateway handed over is stored, and no link was lost"


def _table(found: Sequence[Reconciliation]) -> str:
    table = Table("device", "cause", "from", "to", "tags", "expected", "recovered", "lost", caption="of tags that report every sample")
    for one in found:
        gap = one.gap
        end = "lasts" if gap.end is None else times.format_time(gap.end)
        table.add_row(
            gap.device, gap.cause.value, times.format_time(gap.start), end, f"{one.counted} of {one.tags}", *map(str, (one.expected, one.recovered, one.lost))
        )
    table.add_section()
    sums = [sum(getattr(one, name) for one in found) for name in ("expected", "recovered", "lost")]
    table.add_row("all", "", "", "", "", *map(str, sums))
    text = io.StringIO()
    Console(file=text, width=160).print(table)
    return text.getvalue()
