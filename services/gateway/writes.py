"""Commands at the gateway: the last check, the write, the read-back. The answer given here is the one that counts.

Rules:

1. A command is executed at most once: its id is remembered, and asking again gets the first answer (or waits for it).
2. What is expired, not writable or out of range on live state is refused here, whatever was said before.
3. A write has a deadline; it is never queued until a link comes back, and never sent a second time. What its tag shows after one whose end is not known is told
   (``read_backs``).
4. What became of a command is an event from here, whoever is left to hear the answer.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final

from drivers import DeviceLink, WriteOutcome, WriteStatus
from plant import times
from plant.command import Command, CommandResult, CommandState, check
from plant.event import Event
from plant.quality import quality_name
from plant.tag import Tag
from services.bus.messages import MalformedMessage, decode_command, encode_command_result
from services.gateway.metrics import GatewayMetrics
from services.gateway.read_backs import ReadBacks

_log = logging.getLogger(__name__)

_REMEMBERED: Final = 10_000

_STATE: Final = {
    WriteStatus.CONFIRMED: CommandState.DONE,
    WriteStatus.ACCEPTED: CommandState.ACCEPTED,
    WriteStatus.REJECTED: CommandState.REJECTED,
    WriteStatus.NOT_SENT: CommandState.FAILED,
    WriteStatus.UNKNOWN: CommandState.UNKNOWN,
}


class Writes:
    """Executes the commands of one device's tags over its link."""

    def __init__(
        self,
        link: DeviceLink[Any],
        within: float,
        by_name: Mapping[str, Tag],
        metrics: GatewayMetrics,
        tell: Callable[[Event], None],
        read_backs: ReadBacks,
    ) -> None:
        """``within``: seconds for a write and its read-back."""
        self._link = link
        self._within = within
        self._by_name = by_name
        self._metrics = metrics
        self._tell = tell
        self._read_backs = read_backs
        self._answers: OrderedDict[str, asyncio.Task[CommandResult]] = OrderedDict()

    async def answer(self, request: bytes) -> bytes:
        """Bytes of a ``Command`` in, bytes of its ``CommandResult`` out."""
        try:
            command = decode_command(request)
        except MalformedMessage as error:
            _log.warning("a request that is no command was refused: %s", error)
            return encode_command_result(CommandResult("", CommandState.REJECTED, f"the request is no command: {error}", times.now()))
        known = self._answers.get(command.id)
        if known is None:
            known = self._answers[command.id] = asyncio.create_task(self._execute(command))
            self._forget_oldest()
        return encode_command_result(await asyncio.shield(known))

    async def finished(self) -> None:
        """Returns when no command is being executed; each takes no longer than its deadline."""
        await asyncio.gather(*self._answers.values())

    def _forget_oldest(self) -> None:
        while len(self._answers) > _REMEMBERED and next(iter(self._answers.values())).done():
            self._answers.popitem(last=False)

    async def _execute(self, command: Command) -> CommandResult:
        result = await self._check_and_write(command)
        self._metrics.commands.labels(result.state.value).inc()
        detail = {"id": command.id, "value": command.value, "state": result.state.value, "detail": result.detail, "read_back": result.read_back}
        self._tell(Event(f"{command.id}:executed", result.time, "command.executed", command.tag, command.user, detail))
        _log.info("command %s by %s: %s = %r: %s, %s", command.id, command.user, command.tag, command.value, result.state, result.detail)
        return result

    async def _check_and_write(self, command: Command) -> CommandResult:
        now = times.now()
        tag = self._by_name.get(command.tag)
        if tag is None:
            return CommandResult(command.id, CommandState.REJECTED, f"{command.tag} is no tag of this device", now)
        refusal = check(command, tag, now)
        if refusal is not None:
            return CommandResult(command.id, refusal.state, refusal.detail, now)
        self._read_backs.give_up(tag.id, "another command was given for the tag")
        outcome = await self._link.write(tag, command.value, min(self._within, (command.expires - now) / times.MICROSECONDS))
        if outcome.status is WriteStatus.UNKNOWN and tag.has_value:
            self._read_backs.expect(tag.id, command, now)
        return CommandResult(command.id, _STATE[outcome.status], _detail(outcome), times.now(), outcome.read_back)


def _detail(outcome: WriteOutcome) -> str:
    if outcome.quality < 0:
        return f"{outcome.detail} ({quality_name(outcome.quality)})"
    return outcome.detail
