"""The book of commands: prepared, being executed, ended. Pure; the clocks are given.

Rules:

1. A command is prepared by one user and confirmed by the same, once, with its nonce and its value again, within its time.
2. The time to confirm is measured on the monotonic clock: a wall clock that jumps makes no command younger.
3. The book is bounded: too many prepared commands are refused, ended ones are forgotten oldest first.
"""

import hmac
import secrets
import uuid
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from plant import times
from plant.command import Command, CommandResult, CommandState, CommandValue
from plant.tag import Tag
from services.bus.control_messages import CommandView, Prepare, Refused
from services.control.states import Step, after

CONFIRM_WITHIN: Final = 15.0
"""Seconds from preparation to confirmation."""

_PREPARED_AT_ONCE: Final = 1_000
_REMEMBERED: Final = 10_000


@dataclass(slots=True)
class Entry:
    """A command in the book. ``deadline`` is monotonic seconds."""

    command: Command
    tag: Tag
    text: str
    current: CommandValue | None
    nonce: str
    key: str
    deadline: float
    state: CommandState = CommandState.PREPARED
    detail: str = ""
    read_back: CommandValue | None = None

    def view(self, *, with_nonce: bool = False) -> CommandView:
        return CommandView(
            id=self.command.id,
            tag=self.tag.name,
            value=self.command.value,
            state=self.state,
            text=self.text,
            current=self.current,
            limits=self.tag.eu_range,
            interlocks=[],
            expires=self.command.expires,
            nonce=self.nonce if with_nonce else None,
            detail=self.detail,
            read_back=self.read_back,
        )


class CommandBook:
    """Every command that control knows."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._prepared: dict[str, Entry] = {}
        self._by_key: dict[tuple[str, str], str] = {}

    def prepare(self, request: Prepare, tag: Tag, wall: int, monotonic: float) -> Entry | Refused:
        """A new command, or the one that the same user prepared under the same key. ``wall`` is UTC microseconds."""
        known = self._by_key.get((request.user, request.key)) if request.key else None
        if known is not None:
            entry = self._entries[known]
            same = (entry.command.tag, entry.command.value, entry.command.reason) == (request.tag, request.value, request.reason)
            return entry if same else Refused.CONFLICT
        if len(self._prepared) >= _PREPARED_AT_ONCE:
            return Refused.TOO_MANY
        expires = wall + round(CONFIRM_WITHIN * times.MICROSECONDS)
        command = Command(uuid.uuid4().hex, request.tag, request.value, request.reason, request.user, expires)
        entry = Entry(command, tag, _text(request, tag), request.current, secrets.token_urlsafe(24), request.key, monotonic + CONFIRM_WITHIN)
        self._entries[command.id] = self._prepared[command.id] = entry
        if request.key:
            self._by_key[request.user, request.key] = command.id
        self._forget_oldest()
        return entry

    def find(self, identity: str) -> Entry | None:
        return self._entries.get(identity)

    def refusal_to_confirm(self, entry: Entry, user: str, nonce: str, value: CommandValue) -> Refused | None:
        """Why this is no confirmation of ``entry``, whatever its state; ``None`` if it is one."""
        if entry.command.user != user:
            return Refused.NOT_YOURS
        if not hmac.compare_digest(entry.nonce.encode(), nonce.encode()) or value != entry.command.value:
            return Refused.MISMATCH
        return None

    def step(self, entry: Entry, step: Step, detail: str = "") -> bool:
        """Takes ``entry`` a step, if its state allows it."""
        following = after(entry.state, step)
        if following is None:
            return False
        entry.state, entry.detail = following, detail
        self._prepared.pop(entry.command.id, None)
        return True

    def finish(self, entry: Entry, result: CommandResult) -> None:
        """Ends the execution of ``entry`` with what the gateway said."""
        if self.step(entry, Step(result.state.value), result.detail):
            entry.read_back = result.read_back

    def expire(self, monotonic: float) -> Sequence[Entry]:
        """Ends every prepared command whose time is over, and returns them."""
        over = [entry for entry in self._prepared.values() if monotonic >= entry.deadline]
        for entry in over:
            self.step(entry, Step.EXPIRE, "it was not confirmed in time; prepare it again")
        return over

    def _forget_oldest(self) -> None:
        while len(self._entries) > _REMEMBERED:
            oldest = next((identity for identity, entry in self._entries.items() if entry.state.is_final), None)
            if oldest is None:
                return
            gone = self._entries.pop(oldest)
            self._by_key.pop((gone.command.user, gone.key), None)


def _text(request: Prepare, tag: Tag) -> str:
    unit = f" {tag.engineering_unit}" if tag.engineering_unit and not tag.data_type.is_text else ""
    return f"{tag.name} {_shown(request.current)} -> {_shown(request.value)}{unit}"


def _shown(value: CommandValue | None) -> str:
    if value is None:
        return "?"
    return repr(value) if isinstance(value, str) else f"{value:g}"
