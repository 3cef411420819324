"""The bus that a process is on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from monazite.service import ServiceContext
from services.bus import Bus


@asynccontextmanager
async def bus_of(context: ServiceContext) -> AsyncIterator[Bus]:
    """Connected under the service's name, closed at the end.

    Raises:
        BusUnavailable: no server answers; ConfigurationError: it refuses the credentials.
    """
    settings = context.settings
    bus = await Bus.connect(settings.nats_url, name=context.name, user=settings.nats_user, password=settings.password_of_bus())
    try:
        yield bus
    finally:
        async with asyncio.timeout(5.0):
            await bus.close()
