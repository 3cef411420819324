"""``monazite historian``"""

import asyncio
import contextlib
from typing import Final

from monazite.bus_of import bus_of
from monazite.data_folder import ensure_folder
from monazite.service import ServiceContext
from monazite.site_of import site_of
from plant import times
from services.historian import Historian
from services.store import open_store

_DAY: Final = 86_400 * times.MICROSECONDS


async def run(context: ServiceContext) -> None:
    site = site_of(context.settings)
    if context.settings.store is None:
        ensure_folder(context.settings.data)
    async with bus_of(context) as bus:
        with contextlib.closing(await asyncio.to_thread(open_store, context.settings.store_url)) as store:
            days = context.settings.keep_days
            historian = Historian(store, site, bus, context.registry, None if days is None else days * _DAY)
            context.ready({})
            await historian.run(context.stop)
