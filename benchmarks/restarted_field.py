"""A device to kill and to start again: ``python -m benchmarks.restarted_field opcua|modbus PORT``. Says when it can be connected to."""

import asyncio
import logging
import sys
from contextlib import AsyncExitStack
from typing import Final

from asyncua import Server, ua

from tests.modbus_device import ModbusTestDevice

URI: Final = "urn:monazite:field"
NODE: Final = "level"
_PERIOD: Final = 0.1


async def serve(protocol: str, port: int) -> None:
    async with AsyncExitStack() as stack:
        if protocol == "modbus":
            await stack.enter_async_context(ModbusTestDevice(port))
            print("ready", flush=True)  # noqa: T201  # what the parent process waits for
            await asyncio.Event().wait()
        server = Server()
        await server.init()
        server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        namespace = ua.Int16(await server.register_namespace(URI))
        level = await server.nodes.objects.add_variable(ua.NodeId(ua.String(NODE), namespace), NODE, 0.0)
        await stack.enter_async_context(server)
        print("ready", flush=True)  # noqa: T201  # what the parent process waits for
        for number in range(sys.maxsize):
            await level.write_value(float(number))
            await asyncio.sleep(_PERIOD)


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
