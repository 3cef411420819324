"""``monazite api``. Its metrics are on its own port, under /metrics."""

import asyncio
import contextlib
import logging
from typing import Final

from monazite.bus_of import bus_of
from monazite.data_folder import ensure_folder
from monazite.flat_memory import give_memory_back
from monazite.service import ServiceContext
from monazite.site_of import site_of
from plant import StoreUnavailable
from services.api import ApiConfig, create_app, ensure_admin, serve
from services.store import Store, open_store

_log = logging.getLogger(__name__)

_RETRY_AFTER: Final = 0.5
_FIRST_USER_WITHIN: Final = 10.0


async def run(context: ServiceContext) -> None:
    settings = context.settings
    site = site_of(settings)
    ensure_folder(settings.data)
    give_memory_back()
    async with bus_of(context) as bus:
        with contextlib.closing(await asyncio.to_thread(open_store, settings.store_url)) as store:
            app = create_app(ApiConfig(settings.data), site, store, bus, context.registry)
            async with asyncio.TaskGroup() as group:
                first_user = group.create_task(_make_first_user(context, store))
                started = asyncio.get_running_loop().create_future()
                telling = group.create_task(_tell_ready(context, started, first_user))
                await serve(app, settings.host, settings.port, context.stop, started.set_result)
                telling.cancel()
                first_user.cancel()


async def _tell_ready(context: ServiceContext, started: asyncio.Future[str], first_user: asyncio.Task[None]) -> None:
    """Ready means that one can log in; while the store is away, that live values are served."""
    url = await started
    await asyncio.wait({first_user}, timeout=_FIRST_USER_WITHIN)
    context.ready({"api": url, "metrics": f"{url}/metrics"})


async def _make_first_user(context: ServiceContext, store: Store) -> None:
    """As soon as the store has its tables, which the historian makes: the API serves live values meanwhile, and after an outage too."""
    data, password = context.settings.data, context.settings.password_of_admin()
    while True:
        try:
            made = await asyncio.to_thread(ensure_admin, store, data, password)
        except StoreUnavailable as error:
            _log.debug("the first user waits for the store: %s", error)
            await asyncio.sleep(_RETRY_AFTER)
        else:
            if made is not None:
                _log.info("made the user admin; the password is in %s", data / "initial-admin-password")
            return
