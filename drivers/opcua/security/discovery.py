"""What a server says that it offers, asked over a connection of its own without security: there is no other way to learn its certificate."""

import asyncio
from collections.abc import Sequence
from typing import Final

from asyncua import Client, ua

from drivers.abort import abort
from drivers.opcua.connect_socket import connect_socket
from drivers.opcua.decoder_bounds import bound_answers
from plant.opcua_device import OpcuaDevice

_MOST_CHUNKS: Final = 64
_LARGEST: Final = 1 << 20
"""Bytes of a stranger's answer: a list of endpoints has some kilobytes."""


async def discover(device: OpcuaDevice, addresses: Sequence[str]) -> Sequence[ua.EndpointDescription]:
    """From the first of ``addresses`` that takes the connection. Raises what the library raises."""
    client = Client(device.endpoint, timeout=device.timeout)
    try:
        await connect_socket(client, addresses, asyncio.get_running_loop().time() + device.timeout)
        await client.send_hello()
        bound_answers(client, chunks=_MOST_CHUNKS, size=_LARGEST)
        await client.open_secure_channel()
        endpoints = await client.get_endpoints()
        await client.close_secure_channel()
    except BaseException:
        protocol = client.uaclient.protocol
        if protocol is not None and protocol.transport is not None:
            abort(protocol.transport)
        raise
    finally:
        client.disconnect_socket()
    return endpoints or []
