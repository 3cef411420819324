"""A cable between the driver and an OPC UA server that hands on what the driver asks, and mangles what it is answered.

While it is sane it relays, and remembers the server's own publish responses. From ``go_mad`` on the server sees no publish request any more: the cable
answers each, first with a sound response that was remembered, then with mangled ones. The next leaves only when the driver has asked for more, which it
does when it has taken the one before: every mangled response that is counted was read by the driver, or ended the session.
"""

import asyncio
import contextlib
import random
from collections import Counter, deque
from dataclasses import replace
from types import TracebackType
from typing import Final, Self

from tests.faults.body_faults import DEADLY, HARMLESS, mangled_body
from tests.faults.chunks import CREATE_SUBSCRIPTION_RESPONSE, PUBLISH_REQUEST, PUBLISH_RESPONSE, Chunk, Response, sequence_number, split, subscription_of
from tests.faults.frame_faults import aborted, mangled_answer, mangled_frame

_PIECE: Final = 65_536
_REMEMBERED: Final = 40
_CHUNKS_TO_OPEN: Final = 16
"""About as many leave the server before the first publish response."""
_SOUND: Final = 0.05
_FRAMES: Final = 0.03
_DEADLY: Final = 0.13
"""Parts of the responses that are sound, have a fault in their frame, or one in their body that should end the session."""
_UNANSWERED: Final = 0.01
"""Part of the faults of a frame that leave a request without an answer for ever: each costs the fifteen seconds that a subscription may be silent."""
_OPENINGS: Final = 0.1
"""Part of the connections that are mangled while they are made."""


class FuzzingCable:
    """Listens on ``port``. ``chance`` decides about everything."""

    def __init__(self, device_port: int, chance: random.Random) -> None:
        self._device_port = device_port
        self.chance = chance
        self._server: asyncio.Server | None = None
        self._conversations: set[_Conversation] = set()
        self._responses: list[Response] = []
        self.port = 0
        self.connections = 0
        self.left = 0
        """Malformed chunks that are still to be sent."""
        self.faults: Counter[str] = Counter()
        """Malformed chunks by fault."""
        self.slowest = 0.0
        """Seconds, the longest that the driver took to ask for more after a malformed chunk, or to give the connection up."""
        self.subscription = self.number = 0
        """The subscription that was made last, and the number of the last notification."""

    @property
    def knows_enough(self) -> bool:
        """Whether there are sound responses to mangle."""
        return len(self._responses) >= 20

    @property
    def is_mad(self) -> bool:
        return self.left > 0

    def go_mad(self, faults: int) -> None:
        """Ends the connection, and sends so many malformed chunks over those that follow."""
        self.left = faults
        self._end_all()

    def spent(self, fault: str) -> None:
        """One more malformed chunk has left."""
        self.faults[fault] += 1
        self.left -= 1
        if self.left == 0:
            self._end_all()

    def remember(self, body: bytes) -> None:
        if len(self._responses) < _REMEMBERED and (response := Response.of(body)) is not None:
            self._responses.append(response)

    def next_response(self, *, is_first: bool) -> Response:
        """The first one has a value of every tag."""
        self.number = self.number % (2**32 - 1) + 1
        response = self._responses[0] if is_first else self.chance.choice(self._responses)
        return response.addressed(self.subscription, self.number)

    def _end_all(self) -> None:
        for conversation in set(self._conversations):
            conversation.end()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._server is not None
        self._server.close()
        self._end_all()
        await self._server.wait_closed()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            device_reader, device_writer = await asyncio.open_connection("127.0.0.1", self._device_port)
        except OSError:
            writer.transport.abort()
            return
        self.connections += 1
        conversation = _Conversation(self, writer, device_writer)
        self._conversations.add(conversation)
        try:
            await asyncio.gather(conversation.up(reader), conversation.down(device_reader))
        finally:
            self._conversations.discard(conversation)
            conversation.note_reaction()


class _Conversation:
    """One connection of the driver."""

    def __init__(self, cable: FuzzingCable, driver: asyncio.StreamWriter, device: asyncio.StreamWriter) -> None:
        self._cable = cable
        self._driver = driver
        self._device = device
        self._is_mad = cable.is_mad
        self._number = self._number_up = 0
        """Of the last chunks to the driver and to the server."""
        self._requests: deque[Chunk] = deque()
        self._answered = 0
        self._chunks_down = 0
        self._mangled_opening = cable.chance.randint(1, _CHUNKS_TO_OPEN) if self._is_mad and cable.chance.random() < _OPENINGS else 0
        self._faulty_since: float | None = None

    async def up(self, reader: asyncio.StreamReader) -> None:
        """From the driver to the server."""
        stream = bytearray()
        with contextlib.suppress(OSError):
            while piece := await reader.read(_PIECE):
                stream += piece
                for data in split(stream):
                    self._take_request(data)
                await self._device.drain()
        self.end()

    async def down(self, reader: asyncio.StreamReader) -> None:
        """From the server to the driver."""
        stream = bytearray()
        with contextlib.suppress(OSError):
            while piece := await reader.read(_PIECE):
                stream += piece
                for data in split(stream):
                    self._hand_on(data)
                await self._driver.drain()
        self.end()

    def end(self) -> None:
        self._driver.transport.abort()
        self._device.transport.abort()

    def _take_request(self, data: bytes) -> None:
        chunk = Chunk.of(data) if data[:3] in {b"MSG", b"CLO"} else None
        if chunk is None:
            self._number_up = sequence_number(data)
            self._device.write(data)
            return
        if chunk.service != PUBLISH_REQUEST or not self._is_mad:
            self._number_up += 1
            self._device.write(replace(chunk, number=self._number_up).encoded())
            return
        self._requests.append(chunk)
        self.note_reaction()
        while len(self._requests) > 1 and not self._driver.transport.is_closing():
            self._answer(self._requests.popleft())

    def _hand_on(self, data: bytes) -> None:
        """With the sequence number that follows, since chunks that the cable makes are among them."""
        self._chunks_down += 1
        if data[:3] != b"MSG":
            self._number = sequence_number(data)
            self._send(data)
            return
        chunk = Chunk.of(data)
        if chunk.service == PUBLISH_RESPONSE and not self._is_mad:
            self._cable.remember(chunk.body)
        if chunk.service == CREATE_SUBSCRIPTION_RESPONSE:
            self._cable.subscription, self._cable.number = subscription_of(chunk.body), 0
        self._number += 1
        self._send(replace(chunk, number=self._number).encoded())

    def _send(self, data: bytes) -> None:
        if self._chunks_down == self._mangled_opening and self._cable.is_mad:
            data = mangled_answer(data, self._cable.chance)
            self._faulty_since = asyncio.get_running_loop().time()
            self._driver.write(data)
            self._cable.spent("while the session is opened")
        else:
            self._driver.write(data)

    def _answer(self, request: Chunk) -> None:
        cable, chance = self._cable, self._cable.chance
        response = cable.next_response(is_first=self._answered == 0)
        self._answered += 1
        self._number += 1
        sound = replace(request, kind=b"MSGF", number=self._number, body=response.body)
        if self._answered == 1 or chance.random() < _SOUND:
            self._driver.write(sound.encoded())
            return
        if chance.random() < _FRAMES:
            fault, data = mangled_frame(sound, chance) if chance.random() >= _UNANSWERED else ("unanswered", aborted(sound))
            fault = f"frame: {fault.lstrip('_')}"
            self._number += data.startswith(b"MSGA") and fault != "frame: unanswered"
        else:
            fault, body = mangled_body(response, chance, DEADLY if chance.random() < _DEADLY else HARMLESS)
            data = replace(sound, body=body).encoded()
            if fault == "with_a_gap":
                cable.number = int.from_bytes(body[response.number_at : response.number_at + 4], "little")
        self._faulty_since = asyncio.get_running_loop().time()
        self._driver.write(data)
        cable.spent(fault.replace("_", " "))

    def note_reaction(self) -> None:
        """The driver asks for more, or has given up."""
        if self._faulty_since is not None:
            self._cable.slowest = max(self._cable.slowest, asyncio.get_running_loop().time() - self._faulty_since)
            self._faulty_since = None
