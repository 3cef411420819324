"""Links that run while a test looks at them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from drivers import DeviceLink


@asynccontextmanager
async def supervised(*links: DeviceLink[Any]) -> AsyncIterator[None]:
    """They are supervised for ever: one that ends by itself fails the test."""
    tasks = [asyncio.create_task(link.run()) for link in links]
    try:
        yield
        assert not any(task.done() for task in tasks), "links are supervised for ever"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
