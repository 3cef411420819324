"""A serial port as a transport: raw bytes, non-blocking, ours alone.

Source: MODBUS over Serial Line Specification V1.02: 2.5.1 (frames end with 3.5 characters of silence; a fixed 1.75 ms above 19200 baud), 2.5.1.1 (11 bits a
character: start, 8 data, parity or a second stop bit, stop).
"""

import asyncio
import contextlib
import fcntl
import os
import termios
from typing import Any, Final

from plant.device import Parity, SerialLine
from plant.errors import DeviceUnreachable

_SILENT_CHARACTERS: Final = 3.5
_FIXED_SILENCE_ABOVE: Final = 19200
_FIXED_SILENCE: Final = 0.00175
_READ_AT_ONCE: Final = 4096


def character_time(line: SerialLine) -> float:
    """Seconds of one character on the wire."""
    return (1 + 8 + (line.parity is not Parity.NONE) + line.stop_bits) / line.baud_rate


def silence(line: SerialLine) -> float:
    """Seconds of silence between two frames."""
    return _FIXED_SILENCE if line.baud_rate > _FIXED_SILENCE_ABOVE else _SILENT_CHARACTERS * character_time(line)


class SerialTransport(asyncio.WriteTransport):
    """Bytes between a protocol and an open port. The port is not flow-controlled: what Modbus sends fits the kernel's buffer."""

    def __init__(self, loop: asyncio.AbstractEventLoop, port: int, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._loop = loop
        self._port = port
        self._protocol = protocol
        self._unsent = b""
        self._is_closing = False
        loop.add_reader(port, self._readable)
        protocol.connection_made(self)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._is_closing:
            return
        was_empty = not self._unsent
        self._unsent += bytes(data)
        if was_empty:
            self._writable()

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        self._end(None)

    def abort(self) -> None:
        self._end(None)

    def discard(self) -> None:
        """What is not sent yet, here or in the kernel, is thrown away, and so is what came and was not read."""
        self._unsent = b""
        self._loop.remove_writer(self._port)
        with contextlib.suppress(termios.error):  # the adapter was pulled out
            termios.tcflush(self._port, termios.TCIOFLUSH)

    def _readable(self) -> None:
        try:
            data = os.read(self._port, _READ_AT_ONCE)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(error)
            return
        if data:
            self._protocol.data_received(data)
        else:
            self._end(OSError("the serial port was hung up"))

    def _writable(self) -> None:
        try:
            sent = os.write(self._port, self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._end(error)
            return
        self._unsent = self._unsent[sent:]
        if self._unsent:
            self._loop.add_writer(self._port, self._writable)
        else:
            self._loop.remove_writer(self._port)

    def _end(self, error: Exception | None) -> None:
        if self._is_closing:
            return
        self._is_closing = True
        self._loop.remove_reader(self._port)
        self.discard()  # else the kernel would send it first, and the closing wait for that
        with contextlib.suppress(OSError):  # the adapter was pulled out
            fcntl.ioctl(self._port, termios.TIOCNXCL)
        os.close(self._port)
        self._loop.call_soon(self._protocol.connection_lost, error)


def open_port(line: SerialLine) -> int:
    """File descriptor of the port, set up, empty and locked.

    Raises:
        DeviceUnreachable: there is no such port, it may not be opened, another program has it, or it cannot do what is asked of it.
    """
    try:
        port = os.open(line.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError as error:
        raise DeviceUnreachable(f"the serial port {line.path} may not be opened: put the gateway's user in the port's group, often dialout") from error
    except OSError as error:
        raise DeviceUnreachable(f"no serial port {line.path}: {error.strerror}: is the adapter plugged in?") from error
    try:
        _set_up(port, line)
    except BlockingIOError as error:
        os.close(port)
        raise DeviceUnreachable(f"another program has the serial port {line.path}: end it, or give this line another port") from error
    except (OSError, termios.error, ValueError) as error:
        os.close(port)
        raise DeviceUnreachable(f"the serial port {line.path} cannot be set to {line.baud_rate} baud, parity {line.parity}: {error}") from error
    return port


def _set_up(port: int, line: SerialLine) -> None:
    speed = getattr(termios, f"B{line.baud_rate}", None)
    if speed is None:
        raise ValueError("no such speed on this system")
    fcntl.flock(port, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.ioctl(port, termios.TIOCEXCL)
    control = termios.CS8 | termios.CREAD | termios.CLOCAL
    if line.parity is not Parity.NONE:
        control |= termios.PARENB
    if line.parity is Parity.ODD:
        control |= termios.PARODD
    if line.stop_bits == 2:
        control |= termios.CSTOPB
    characters = termios.tcgetattr(port)[6]
    characters[termios.VMIN], characters[termios.VTIME] = 1, 0
    received = termios.IGNBRK | (termios.INPCK if line.parity is not Parity.NONE else 0)  # a character of wrong parity reads as NUL: the checksum sees it
    termios.tcsetattr(port, termios.TCSANOW, [received, 0, control, 0, speed, speed, characters])
    termios.tcflush(port, termios.TCIOFLUSH)
