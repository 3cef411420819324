"""The socket of a connection, by address: left a name, the library would look it up in threads that the whole process shares."""

from collections.abc import Sequence

from asyncua import Client

from drivers.resolving import first_of


async def connect_socket(client: Client, addresses: Sequence[str], deadline: float) -> None:
    """To the first of ``addresses`` (one at least) that takes it, before ``deadline`` by the event loop's clock. Raises as ``first_of``."""
    port = client.server_url.port
    assert port is not None, "a device's endpoint bears its port"
    await first_of(addresses, lambda address: client.uaclient.connect_socket(address, port), deadline)
