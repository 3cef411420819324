"""A real bus for a test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.bus import Bus, provision
from tests.nats_server import NatsServer


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    async with NatsServer(tmp_path / "nats") as running:
        yield running


@pytest.fixture
async def bus(server: NatsServer) -> AsyncIterator[Bus]:
    """With its streams made."""
    async with await server.connect() as connected:
        await provision(connected)
        yield connected
