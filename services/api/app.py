"""The application: routes over shared state."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import chain, repeat
from typing import Final

from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry

from plant.errors import StoreUnavailable
from plant.site import Site
from services.api.auth import Authentication
from services.api.config import ApiConfig
from services.api.live_hub import LiveHub
from services.api.middleware import Requests
from services.api.problems import add_problem_handlers
from services.api.removals import Removals
from services.api.routes import commands, devices, edits, export, health, live, processed, records, samples, snapshot, stream, tags, token
from services.api.state import ApiState
from services.bus import Bus
from services.retrieval import History, Processed, Records
from services.store import Store

_log = logging.getLogger(__name__)

_FIRST_COMPARISONS: Final = (1.0, 1.0, 2.0, 4.0)
_COMPARISON_PERIOD: Final = 15.0


def create_app(config: ApiConfig, site: Site, store: Store, bus: Bus, registry: CollectorRegistry) -> FastAPI:
    """The application over a connected bus and an opened store; the store may be away.

    Raises:
        ConfigurationError: the signing key in the data folder is none.
    """
    hub = LiveHub(site, registry)
    removals = Removals(store, site, hub)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await hub.listen(bus)
        await removals.listen(bus)
        tasks = [asyncio.create_task(_heal(store, hub)), asyncio.create_task(hub.watch())]
        yield
        for task in tasks:
            task.cancel()

    app = FastAPI(
        title="Monazite",
        version="1",
        lifespan=lifespan,
        docs_url="/docs" if config.serve_docs else None,
        redoc_url=None,
        openapi_url="/openapi.json" if config.serve_docs else None,
    )
    app.state.monazite = ApiState(config, site, store, History(store), Processed(store), Records(store), bus, hub, removals, asyncio.Semaphore(export.AT_ONCE))
    app.state.authentication = Authentication(store, config.data, config.token_lifetime, registry)
    app.state.registry = registry
    api = APIRouter(prefix="/api/v1")
    for module in (token, tags, snapshot, samples, processed, export, edits, live, stream, devices, commands, records):
        api.include_router(module.router)
    app.include_router(api)
    app.include_router(health.router)
    add_problem_handlers(app)
    app.add_middleware(Requests, registry=registry, longest_body=config.longest_body)
    return app


async def _heal(store: Store, hub: LiveHub) -> None:
    """Compares with the store's snapshot: often at first, when what was told before this process listened is still on its way there."""
    for wait in chain(_FIRST_COMPARISONS, repeat(_COMPARISON_PERIOD)):
        try:
            for batch in await asyncio.to_thread(store.snapshot):
                hub.heal(batch)
        except StoreUnavailable as error:
            _log.debug("the snapshot waits for the store: %s", error)
        await asyncio.sleep(wait)
