"""Making a line's connection: a socket, a socket with TLS, or a serial port."""

import asyncio
import ssl
from collections.abc import Callable
from typing import TypeVar

from drivers.modbus.serial_port import SerialTransport, open_port
from drivers.resolving import addresses_of, first_of
from plant.device import ModbusLine, SerialLine, TcpLine, TlsFiles
from plant.errors import DeviceUnreachable

ProtocolT = TypeVar("ProtocolT", bound=asyncio.Protocol)


async def dial(line: ModbusLine, make_protocol: Callable[[], ProtocolT], within: float) -> ProtocolT:
    """The protocol, connected.

    Raises:
        DeviceUnreachable: nothing listens within ``within`` seconds, it cannot be trusted, or there is no such port; the text names the mend.
    """
    if isinstance(line, SerialLine):
        protocol = make_protocol()
        SerialTransport(asyncio.get_running_loop(), open_port(line), protocol)
        return protocol
    return await _connect(line, make_protocol, within)


async def _connect(line: TcpLine, make_protocol: Callable[[], ProtocolT], within: float) -> ProtocolT:
    server_name = None if line.tls is None else line.tls.server_name or line.host
    context = None if line.tls is None or server_name is None else tls_context(line.tls, server_name)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    addresses = await addresses_of(line.host, within)
    try:
        _, protocol = await first_of(
            addresses, lambda address: loop.create_connection(make_protocol, address, line.port, ssl=context, server_hostname=server_name), deadline
        )
    except TimeoutError:
        raise DeviceUnreachable(f"no connection within {within:g} s") from None
    except ssl.SSLCertVerificationError as error:
        trusted = line.tls.trusted if line.tls is not None else ""
        raise DeviceUnreachable(
            f"no connection: the server's certificate is not trusted: {error.verify_message}; put its authority in {trusted}, or set server_name to its name"
        ) from error
    except ssl.SSLError as error:
        raise DeviceUnreachable(
            f"no connection: TLS failed: {error.reason or error}; this port must speak TLS 1.2 or later (802 is the standard's), and may want our certificate"
        ) from error
    except OSError as error:
        raise DeviceUnreachable(f"no connection: {error.strerror or error}") from error
    return protocol


def tls_context(files: TlsFiles, server_name: str) -> ssl.SSLContext:
    """TLS 1.2 or later; the server must prove its name by ``files.trusted``. Source: MODBUS/TCP Security Protocol Specification, 2018, 8.

    Raises:
        DeviceUnreachable: a file is missing or is not what it should be, or ``server_name`` cannot be a host's; the text names it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(files.trusted)
    except (OSError, ssl.SSLError) as error:
        raise DeviceUnreachable(f"no connection: {files.trusted} holds no certificates in PEM to trust: {error}") from error
    if files.certificate is not None:
        try:
            context.load_cert_chain(files.certificate, files.key, password=_no_passphrase)
        except (OSError, ssl.SSLError) as error:
            place = files.certificate if files.key is None else f"{files.certificate} and {files.key}"
            raise DeviceUnreachable(f"no connection: {place} hold no certificate with its key in PEM, without a passphrase: {error}") from error
    try:
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=server_name)
    except (ValueError, TypeError) as error:  # over a connection it would be left open
        raise DeviceUnreachable(f"no connection: server_name {server_name!r} is no host: {error}") from error
    return context


def _no_passphrase() -> bytes:
    """Else the TLS library asks for one on the terminal, and waits."""
    return b""
