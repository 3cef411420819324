"""The bus that a process is on."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from monazite.data_folder import DataFolder
from monazite.service import ServiceContext
from monazite.settings import Settings
from plant import ConfigurationError, Problem
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


def address_of(settings: Settings) -> tuple[str, str]:
    """URL and password of the bus: what the settings name, else that of ``monazite up`` on the data folder."""
    folder = DataFolder(settings.data.absolute())
    if "nats_url" in settings.model_fields_set or not folder.endpoints.exists():
        return settings.nats_url, settings.password_of_bus()
    try:
        return json.loads(folder.endpoints.read_text(encoding="utf-8"))["nats"], folder.nats_password.read_text(encoding="utf-8").strip()
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = Problem(
            str(folder.endpoints), None, None, f"does not lead to the bus: {error}", "start `monazite up` on this folder, or set MONAZITE_NATS_URL"
        )
        raise ConfigurationError([problem]) from None
