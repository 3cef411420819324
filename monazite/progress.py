"""What ``monazite up`` shows while it runs: on a terminal one live line, elsewhere nothing but the log."""

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.text import Text

from monazite.supervisor import State, Supervisor
from monazite.vital_signs import VitalSigns

_PERIOD: Final = 1.0


@asynccontextmanager
async def progress(supervisor: Supervisor, read: Callable[[], Awaitable[VitalSigns]]) -> AsyncIterator[None]:
    """Shows the line for as long as the block runs, if standard output is a terminal. ``read`` asks the services."""
    if not sys.stdout.isatty():
        yield
        return
    with Live(Text(""), console=Console(), auto_refresh=False) as live:
        _log_through(sys.stderr)  # replaced by Live: log lines go above the live one
        task = asyncio.create_task(_show(live, supervisor, read))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            live.update(Text(""), refresh=True)
    _log_through(sys.stderr)


async def _show(live: Live, supervisor: Supervisor, read: Callable[[], Awaitable[VitalSigns]]) -> None:
    rate, last, last_time = None, None, time.monotonic()
    while True:
        signs = await read()
        now = time.monotonic()
        if signs.stored is not None and last is not None and signs.stored >= last:
            rate = (signs.stored - last) / (now - last_time)
        last, last_time = signs.stored, now
        live.update(status_line(supervisor, signs, rate), refresh=True)
        await asyncio.sleep(_PERIOD)


def status_line(supervisor: Supervisor, signs: VitalSigns, rate: float | None) -> Text:
    """``services 5/6 (api waiting) · devices 6/6 · 352 samples/s · restarts 1``; ``rate`` in samples a second, unknowns are dashes."""
    keepers = supervisor.keepers
    up = sum(keeper.state is State.UP for keeper in keepers)
    others = ", ".join(f"{keeper.name} {keeper.state}" for keeper in keepers if keeper.state is not State.UP)
    restarts = sum(keeper.restarts for keeper in keepers)
    devices = f"{_or_dash(signs.devices_up)}/{_or_dash(signs.devices)}"
    all_up = up == len(keepers) and signs.devices_up == signs.devices is not None
    services = f"services {up}/{len(keepers)}" + (f" ({others})" if others else "")
    line = f"{services} · devices {devices} · {_or_dash(rate)} samples/s · restarts {restarts} · Ctrl-C stops"
    return Text(line, style="green" if all_up else "yellow", no_wrap=True, overflow="ellipsis")


def _or_dash(figure: float | None) -> str:
    return "–" if figure is None else f"{figure:.0f}"  # noqa: RUF001  # the dash of typography, not a minus


def _log_through(stream: object) -> None:
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(stream)
