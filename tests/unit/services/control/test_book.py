"""The book of commands on given clocks."""

import pytest

from plant.command import CommandResult, CommandState, CommandValue
from plant.tag import Tag
from services.bus.control_messages import Prepare, Refused
from services.control.book import CONFIRM_WITHIN, CommandBook, Entry
from services.control.states import Step
from tests.samples import make_tag

WALL = 1_780_000_000_000_000
SETPOINT = make_tag(1, "SEP.COL101.FIC101.SP", writable=True)


def asked(value: CommandValue = 8.0, *, user: str = "ann", key: str = "", reason: str = "trial", current: CommandValue | None = 9.12) -> Prepare:
    return Prepare(SETPOINT.name, value, reason, user, key, current)


def prepared(book: CommandBook, request: Prepare | None = None, *, tag: Tag = SETPOINT, monotonic: float = 100.0) -> Entry:
    entry = book.prepare(request or asked(), tag, WALL, monotonic)
    assert isinstance(entry, Entry)
    return entry


def test_a_prepared_command_shows_what_it_would_do() -> None:
    view = prepared(CommandBook()).view(with_nonce=True)
    assert view.text == "SEP.COL101.FIC101.SP 9.12 -> 8 bar"
    assert (view.state, view.current, view.limits, view.interlocks) == (CommandState.PREPARED, 9.12, (0.0, 100.0), [])
    assert view.expires == WALL + 15_000_000
    assert view.nonce is not None
    assert len(view.nonce) >= 32


def test_an_unknown_current_value_is_shown_as_such() -> None:
    assert prepared(CommandBook(), asked(current=None)).text == "SEP.COL101.FIC101.SP ? -> 8 bar"


def test_the_nonce_is_shown_once_and_is_no_other_commands() -> None:
    book = CommandBook()
    first, second = prepared(book), prepared(book)
    assert first.view().nonce is None
    assert first.nonce != second.nonce
    assert first.command.id != second.command.id


@pytest.mark.parametrize(
    ("user", "nonce", "value", "refused"),
    [
        ("bob", None, 8.0, Refused.NOT_YOURS),
        ("ann", "x" * 32, 8.0, Refused.MISMATCH),
        ("ann", "", 8.0, Refused.MISMATCH),
        ("ann", "é", 8.0, Refused.MISMATCH),
        ("ann", None, 8.1, Refused.MISMATCH),
        ("ann", None, "8", Refused.MISMATCH),
        ("ann", None, 8.0, None),
    ],
)
def test_who_may_confirm_what(user: str, nonce: str | None, value: CommandValue, refused: Refused | None) -> None:
    book = CommandBook()
    entry = prepared(book)
    assert book.refusal_to_confirm(entry, user, entry.nonce if nonce is None else nonce, value) is refused
    assert entry.state is CommandState.PREPARED


def test_one_idempotency_key_is_one_command_of_one_user() -> None:
    book = CommandBook()
    first = prepared(book, asked(key="k"))
    assert prepared(book, asked(key="k")) is first
    assert book.prepare(asked(9.0, key="k"), SETPOINT, WALL, 100.0) is Refused.CONFLICT
    assert prepared(book, asked(key="k", user="bob")) is not first
    assert prepared(book, asked()) is not prepared(book, asked())


def test_a_command_is_confirmed_once() -> None:
    book = CommandBook()
    entry = prepared(book)
    assert [book.step(entry, Step.CONFIRM) for _ in range(3)] == [True, False, False]
    assert not book.step(entry, Step.CANCEL)
    book.finish(entry, CommandResult(entry.command.id, CommandState.DONE, "read back", WALL, 8.0))
    assert (entry.state, entry.read_back) == (CommandState.DONE, 8.0)
    book.finish(entry, CommandResult(entry.command.id, CommandState.FAILED, "again", WALL, 7.0))
    assert (entry.state, entry.detail, entry.read_back) == (CommandState.DONE, "read back", 8.0)


def test_a_command_expires_on_the_monotonic_clock_and_then_cannot_be_confirmed() -> None:
    book = CommandBook()
    entry = prepared(book, monotonic=100.0)
    assert book.expire(100.0 + CONFIRM_WITHIN - 0.001) == []
    assert book.expire(100.0 + CONFIRM_WITHIN) == [entry]
    assert entry.state is CommandState.EXPIRED
    assert not book.step(entry, Step.CONFIRM)
    assert book.expire(1000.0) == []


def test_a_command_that_is_being_executed_does_not_expire() -> None:
    book = CommandBook()
    entry = prepared(book)
    book.step(entry, Step.CONFIRM)
    assert book.expire(1000.0) == []
    assert entry.state is CommandState.EXECUTING


def test_too_many_prepared_commands_are_refused_until_some_end() -> None:
    book = CommandBook()
    entries = [prepared(book) for _ in range(1_000)]
    assert book.prepare(asked(), SETPOINT, WALL, 100.0) is Refused.TOO_MANY
    book.step(entries[0], Step.CANCEL)
    prepared(book)


def test_ended_commands_are_forgotten_oldest_first_with_their_keys() -> None:
    book = CommandBook()
    waiting = prepared(book)
    first = prepared(book, asked(key="k"))
    book.step(first, Step.CANCEL)
    for _ in range(9_999):
        book.step(prepared(book), Step.CANCEL)
    assert book.find(first.command.id) is None
    assert book.find(waiting.command.id) is waiting
    assert prepared(book, asked(key="k")) is not first
