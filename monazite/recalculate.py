"""``monazite recalculate``: results of a calculated tag computed again, from the stored inputs, by the expression that the site has now."""

import asyncio
import getpass
from typing import Final

from monazite.bus_of import address_of
from monazite.settings import Settings
from monazite.site_of import site_of
from plant import ConfigurationError, Problem, times
from plant.device import Expression
from plant.errors import BusUnavailable
from services.bus import Bus, NoAnswer, NoResponder, subjects
from services.bus.edit_messages import EditAnswer, RecalculateRequest, decode_edit_answer, encode_recalculate

_DEADLINE: Final = 20.0
_GIVEN_UP: Final = 1.0
"""Seconds before our own deadline after which the historian does not begin it any more."""


def run(settings: Settings, name: str, start: str, end: str, reason: str) -> str:
    """What the historian will do.

    Raises:
        ConfigurationError: no such calculated tag, no time, or no historian that does it.
    """
    tag = site_of(settings).by_name.get(name)
    if tag is None or not isinstance(tag.source, Expression):
        raise _problem("TAG", f"{name!r} is no calculated tag", "the names are in calculated.toml of the site")
    now = times.now()
    try:
        first, last = times.parse_time(start, now), times.parse_time(end, now)
    except ValueError as error:
        raise _problem("--from, --to", str(error), "write it as in 2026-11-23T04:00:00Z, -24h, or now") from None
    if first >= last:
        raise _problem("--from, --to", f"{start} does not lie before {end}", "exchange them")
    expires = times.now() + int((_DEADLINE - _GIVEN_UP) * times.MICROSECONDS)
    answer = asyncio.run(_ask(settings, RecalculateRequest(tag.id, first, last, getpass.getuser(), reason, expires)))
    if answer.refused is not None:
        raise _problem("historian", answer.detail, "restart it on this site, or try again in some seconds")
    return f"{name} is computed again from {times.format_time(first)} to {times.format_time(last)}; results that change are revisions of it"


async def _ask(settings: Settings, request: RecalculateRequest) -> EditAnswer:
    url, password = address_of(settings)
    try:
        async with await Bus.connect(url, name="recalculate", user=settings.nats_user, password=password, deadline=_DEADLINE) as bus:
            return decode_edit_answer(await bus.request(subjects.HISTORY_RECALCULATE, encode_recalculate(request), _DEADLINE))
    except (NoResponder, NoAnswer) as error:
        raise _problem("historian", f"it does not answer: {error}", "start it and ask again; to compute twice changes nothing more") from None
    except BusUnavailable as error:
        raise _problem("bus", str(error), "start it, name its data folder with --data DIR, or set MONAZITE_NATS_URL") from None


def _problem(field: str, message: str, mend: str) -> ConfigurationError:
    return ConfigurationError([Problem(field, None, None, message, mend)])
