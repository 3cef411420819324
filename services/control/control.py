"""The control service: prepared commands, their confirmation, and the way to the gateway.

Rules:

1. A confirmed command is an event in the stream before it leaves for the gateway; where the event cannot be kept, nothing is written.
2. A command goes to the gateway once. No responder: nothing was written. No answer: it may have been, and it is never sent again. It leaves with an
   expiry before the end of our own wait: a gateway that was stopped meanwhile, and reads it later, writes nothing behind an answer that was given.
3. Every step of a command is an event.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from plant import times
from plant.command import CommandResult, CommandState, Refusal, check
from plant.errors import BusUnavailable
from plant.event import Event
from plant.site import Site
from services.bus import Bus, EventSender, NoAnswer, NoResponder, provision, subjects
from services.bus.control_messages import (
    Cancel,
    Confirm,
    ControlAnswer,
    Get,
    Prepare,
    Refused,
    decode_cancel,
    decode_confirm,
    decode_get,
    decode_prepare,
    encode_answer,
)
from services.bus.messages import MalformedMessage, decode_command_result, encode_command
from services.control.book import CommandBook, Entry
from services.control.states import Step

_log = logging.getLogger(__name__)

_THERE_WITHIN: Final = 1.5
"""Seconds from here to the gateway, beside those for the write and its read-back."""
_BACK_WITHIN: Final = 0.5
"""Seconds for the way back. The clocks of control and gateway must agree within it, as those of one machine do."""

_SWEEP_PERIOD: Final = 0.5
_EVENTS_DEADLINE: Final = 5.0

T = TypeVar("T")


class Control:
    """Serves the subjects ``control.*`` for the tags of ``site``."""

    def __init__(self, site: Site, bus: Bus, registry: CollectorRegistry) -> None:
        self._site = site
        self._bus = bus
        self._book = CommandBook()
        self._executions: dict[str, asyncio.Task[None]] = {}
        self._events = EventSender(bus, registry)
        self._ended = Counter("monazite_commands", "Commands by how they ended.", ("result",), registry=registry)
        self._duration = Histogram("monazite_command_duration_seconds", "From confirmation to result.", registry=registry)
        self._unknown = Gauge("monazite_commands_unknown", "Commands whose outcome is unknown, since this process began.", registry=registry)

    async def run(self, stop: asyncio.Event, ready: Callable[[], None]) -> None:
        """Until ``stop`` is set; what is being executed then is ended first. ``ready`` is called once commands are answered.

        Raises:
            BusUnavailable: the streams could not be made.
        """
        await provision(self._bus)
        subscriptions = [
            await self._bus.serve(subjects.CONTROL_PREPARE, _handler(decode_prepare, self._prepare)),
            await self._bus.serve(subjects.CONTROL_CONFIRM, _handler(decode_confirm, self._confirm)),
            await self._bus.serve(subjects.CONTROL_CANCEL, _handler(decode_cancel, self._cancel)),
            await self._bus.serve(subjects.CONTROL_GET, _handler(decode_get, self._get)),
        ]
        ready()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._events.run()), group.create_task(self._sweep())]
            await stop.wait()
            for subscription in subscriptions:
                await subscription.unsubscribe()
            await asyncio.gather(*self._executions.values())
            try:
                async with asyncio.timeout(_EVENTS_DEADLINE):
                    await self._events.sent()
            except TimeoutError:
                _log.error("stopped while the bus did not take events: the last ones are lost")
            for task in tasks:
                task.cancel()

    async def _prepare(self, request: Prepare) -> ControlAnswer:
        tag = self._site.by_name.get(request.tag)
        if tag is None:
            return ControlAnswer(refused=Refused.NOT_FOUND, detail=f"there is no tag {request.tag}")
        entry = self._book.prepare(request, tag, times.now(), time.monotonic())
        if isinstance(entry, Refused):
            return ControlAnswer(refused=entry, detail=_REFUSED[entry])
        refusal = check(entry.command, tag, times.now())
        if refusal is not None and entry.state is CommandState.PREPARED:
            self._refuse(entry, refusal)
            return ControlAnswer(refused=Refused.INVALID, detail=refusal.detail)
        if entry.state is CommandState.PREPARED:
            self._tell(entry, "prepared")
        return ControlAnswer(entry.view(with_nonce=True))

    def _refuse(self, entry: Entry, refusal: Refusal) -> None:
        self._book.step(entry, Step.REJECTED, refusal.detail)
        self._end(entry)

    async def _confirm(self, request: Confirm) -> ControlAnswer:
        entry = self._book.find(request.id)
        if entry is None:
            return ControlAnswer(refused=Refused.NOT_FOUND, detail=f"there is no command {request.id}")
        refused = self._book.refusal_to_confirm(entry, request.user, request.nonce, request.value)
        if refused is not None:
            return ControlAnswer(refused=refused, detail=_REFUSED[refused])
        self._expire()
        if self._book.step(entry, Step.CONFIRM):
            execution = self._executions[entry.command.id] = asyncio.create_task(self._execute(entry))
            execution.add_done_callback(lambda _: self._executions.pop(entry.command.id, None))
        running = self._executions.get(entry.command.id)
        if running is not None:
            await asyncio.shield(running)
        return ControlAnswer(entry.view())

    async def _cancel(self, request: Cancel) -> ControlAnswer:
        entry = self._book.find(request.id)
        if entry is None:
            return ControlAnswer(refused=Refused.NOT_FOUND, detail=f"there is no command {request.id}")
        if entry.command.user != request.user:
            return ControlAnswer(refused=Refused.NOT_YOURS, detail=_REFUSED[Refused.NOT_YOURS])
        self._expire()
        if self._book.step(entry, Step.CANCEL, f"cancelled by {request.user}"):
            self._end(entry)
        return ControlAnswer(entry.view())

    async def _get(self, request: Get) -> ControlAnswer:
        entry = self._book.find(request.id)
        if entry is None:
            return ControlAnswer(refused=Refused.NOT_FOUND, detail=f"there is no command {request.id}")
        self._expire()
        return ControlAnswer(entry.view())

    async def _execute(self, entry: Entry) -> None:
        begun = time.monotonic()
        self._book.finish(entry, await self._result(entry))
        self._duration.observe(time.monotonic() - begun)
        if entry.state is CommandState.UNKNOWN:
            self._unknown.inc()
        self._end(entry)

    async def _result(self, entry: Entry) -> CommandResult:
        command = entry.command
        try:
            await self._bus.publish_event(self._event(entry, "confirmed"))
        except BusUnavailable as error:
            detail = f"nothing was written: the audit trail cannot be kept ({error})"
            return CommandResult(command.id, CommandState.FAILED, detail, times.now())
        refusal = check(command, entry.tag, times.now())
        if refusal is not None:
            return CommandResult(command.id, refusal.state, refusal.detail, times.now())
        device = self._site.devices[entry.tag.device]
        within = device.write_within + _THERE_WITHIN
        over = times.now() + round(within * times.MICROSECONDS)
        command = replace(command, expires=min(command.expires, over))
        try:
            answer = await self._bus.request(subjects.command(device.area, device.name), encode_command(command), within + _BACK_WITHIN)
            return decode_command_result(answer)
        except NoResponder:
            detail = f"nothing was written: no gateway serves {device.name}"
            return CommandResult(command.id, CommandState.FAILED, detail, times.now())
        except (NoAnswer, MalformedMessage) as error:
            detail = f"it may have been written, and will not be written again: {error}"
            return CommandResult(command.id, CommandState.UNKNOWN, detail, times.now())

    async def _sweep(self) -> None:
        while True:
            self._expire()
            await asyncio.sleep(_SWEEP_PERIOD)

    def _expire(self) -> None:
        for entry in self._book.expire(time.monotonic()):
            self._end(entry)

    def _end(self, entry: Entry) -> None:
        self._ended.labels(entry.state.value).inc()
        self._tell(entry, entry.state.value)

    def _tell(self, entry: Entry, what: str) -> None:
        self._events.tell(self._event(entry, what))

    def _event(self, entry: Entry, what: str) -> Event:
        command = entry.command
        detail = {
            "id": command.id,
            "value": command.value,
            "before": entry.current,
            "reason": command.reason,
            "detail": entry.detail,
            "read_back": entry.read_back,
        }
        return Event(f"{command.id}:{what}", times.now(), f"command.{what}", command.tag, command.user, detail)


_REFUSED: Final = {
    Refused.NOT_YOURS: "another user prepared this command; prepare your own",
    Refused.MISMATCH: "nonce or value is not that of the prepared command; nothing was written",
    Refused.CONFLICT: "this Idempotency-Key was used for another command; use a new one",
    Refused.TOO_MANY: "too many commands are prepared and not confirmed; wait some seconds",
}


def _handler(decode: Callable[[bytes], T], answer: Callable[[T], Awaitable[ControlAnswer]]) -> Callable[[bytes], Awaitable[bytes]]:
    async def handle(data: bytes) -> bytes:
        try:
            request = decode(data)
        except MalformedMessage as error:
            return encode_answer(ControlAnswer(refused=Refused.INVALID, detail=str(error)))
        return encode_answer(await answer(request))

    return handle
