"""``monazite api``"""

import asyncio
import contextlib
import logging
from typing import Final

from monazite.bus_of import bus_of
from monazite.service import ServiceContext
from monazite.site_of import site_of
from plant import StoreUnavailable
from services.api import ApiConfig, create_app, ensure_admin, serve
from services.bus import provision
from services.store import Store, open_store

_log = logging.getLogger(__name__)

_RETRY_STORE_AFTER: Final = 1.0


async def run(context: ServiceContext) -> None:
    settings = context.settings
    site = site_of(settings)
    settings.data.mkdir(parents=True, exist_ok=True)
    async with bus_of(context) as bus:
        await provision(bus)
        with contextlib.closing(await asyncio.to_thread(open_store, settings.store_url)) as store:
            await _make_admin(context, store)
            app = create_app(ApiConfig(settings.data), site, store, bus, context.registry)
            await serve(app, settings.host, settings.port, context.stop, lambda address: context.ready({"api": address}))


async def _make_admin(context: ServiceContext, store: Store) -> None:
    """The tables are the historian's to make: until they are there, the first user waits."""
    while not context.stop.is_set():
        try:
            await asyncio.to_thread(ensure_admin, store, context.settings.data, context.settings.password_of_admin())
        except StoreUnavailable as error:
            _log.info("waiting for the store: %s", error)
            await asyncio.sleep(_RETRY_STORE_AFTER)
        else:
            return
