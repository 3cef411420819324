"""The device that ``benchmarks.modbus_reads`` reads, as a process of its own. Prints its port, and serves until it is ended."""

import asyncio

import numpy as np

from benchmarks.modbus_reads import TAGS, tags
from plant import times
from simulators.image import TagImage
from simulators.modbus_server import ModbusServer


async def serve() -> None:
    image = TagImage(tags(), times.now())
    image.assign(np.arange(TAGS), np.linspace(0.0, 99.0, TAGS), times.now())
    server = ModbusServer(image, 1)
    await server.start()
    print(server.port, flush=True)  # noqa: T201  # the answer that the parent process waits for
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
