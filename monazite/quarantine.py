"""``monazite quarantine``: what the historian could never store, as a table, or copied to files to look at."""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Final

from monazite.bus_of import address_of
from monazite.settings import Settings
from plant import ConfigurationError, Problem, times
from plant.errors import BusUnavailable
from services.bus import Bus, Quarantined, quarantined

_DEADLINE: Final = 10.0
_SUFFIXES: Final = (".bin", ".json")


def run(settings: Settings, out: Path | None) -> str:
    """A line a message; with ``out``, two files a message there: its bytes, and JSON that says when, where and why.

    Raises:
        ConfigurationError: no bus is found or answers, or ``out`` cannot be written.
    """
    try:
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
        return asyncio.run(_run(settings, out))
    except BusUnavailable as error:
        mend = "start it, name its data folder with --data DIR, or set MONAZITE_NATS_URL"
        raise ConfigurationError([Problem("quarantine", None, None, str(error), mend)]) from None
    except OSError as error:
        raise ConfigurationError([Problem("--out", None, None, f"{out} cannot be written: {error.strerror}", "name a folder")]) from None


async def _run(settings: Settings, out: Path | None) -> str:
    url, password = address_of(settings)
    lines, total = list[str](), 0
    async with await Bus.connect(url, name="quarantine", user=settings.nats_user, password=password, deadline=_DEADLINE) as bus:
        async for message in quarantined(bus):
            lines.append(_line(message))
            total += len(message.data)
            if out is not None:
                _copy(message, out)
    end = f"{len(lines)} messages, {total} bytes in quarantine"
    return "\n".join([*lines, end if out is None else f"{end}; copied to {out}"])


def _line(message: Quarantined) -> str:
    return f"{message.number}  {times.format_time(message.time)}  {message.subject}  {len(message.data)} bytes  {message.reason}: {message.detail}"


def _copy(message: Quarantined, out: Path) -> None:
    data, why = (out / f"{message.number:06d}{suffix}" for suffix in _SUFFIXES)
    data.write_bytes(message.data)
    content = asdict(message) | {"time": times.format_time(message.time), "data": data.name, "size": len(message.data)}
    why.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
