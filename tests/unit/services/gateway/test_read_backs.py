import asyncio

import numpy as np
import pytest

from plant import times
from plant.batch import TextBatch
from plant.command import Command
from plant.event import Event, Scalar
from plant.link import DeviceStatus, LinkState
from plant.quality import Quality
from services.gateway import read_backs as read_backs_module
from services.gateway.read_backs import ReadBacks
from tests.samples import batch_of

NOW = times.parse_time("2026-11-23T04:00:00Z", 0)
SECOND = times.MICROSECONDS


class Told:
    """Read-backs of the tag 1, to which the command ``c1`` wrote 8 at ``NOW``; ``session`` is how often the link was opened again."""

    def __init__(self, clock_offset: float | None = None) -> None:
        self.events: list[Event] = []
        self.session = 0
        self.offset = clock_offset
        self.read_backs = ReadBacks(self.events.append, self._status)
        self.read_backs.expect(1, Command("c1", "SEP.COL101.FIC101.SP", 8.0, "test", "admin", NOW + SECOND), NOW)

    def _status(self) -> DeviceStatus:
        return DeviceStatus("PLC", "opcua", "url", LinkState.UP, 0, reconnects=self.session, clock_offset=self.offset)

    async def shown(self) -> list[Scalar]:
        """What was told as read back, when enough time has passed."""
        await asyncio.sleep(0.15)
        return [event.detail["read_back"] for event in self.events]


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_backs_module, "_SETTLED_AFTER", 0.05)
    monkeypatch.setattr(read_backs_module, "_FORGOTTEN_AFTER", 600.0)


async def test_the_newest_of_what_comes_after_the_write_is_told_once() -> None:
    told = Told()
    told.read_backs.see(batch_of([(1, NOW - SECOND, 9.5, 0), (2, NOW + SECOND, 1.0, 0), (1, NOW + SECOND, np.nan, Quality.BAD_NO_COMMUNICATION)]))
    assert await told.shown() == [], "older, another's, and no value"
    told.read_backs.see(batch_of([(1, NOW + 2 * SECOND, 8.0, 0), (1, NOW + SECOND, 9.5, 0)]))
    told.read_backs.see(batch_of([(1, NOW + SECOND + 5, 9.0, 0)]))
    assert await told.shown() == [8.0]
    told.read_backs.see(batch_of([(1, NOW + 3 * SECOND, 7.0, 0)]))
    assert await told.shown() == [8.0]
    (event,) = told.events
    assert (event.id, event.kind, event.subject, event.user) == ("c1:read_back", "command.read_back", "SEP.COL101.FIC101.SP", "admin")
    assert (event.detail["id"], event.detail["value"], event.detail["quality"]) == ("c1", 8.0, "Good")


async def test_an_old_value_of_a_new_session_tells_that_nothing_was_written() -> None:
    told = Told()
    told.session = 1
    told.read_backs.see(batch_of([(1, NOW - 3600 * SECOND, 9.5, 0)]))
    assert await told.shown() == [9.5]


async def test_after_the_write_is_reckoned_by_the_clock_of_the_device() -> None:
    told = Told(clock_offset=-60.0)
    told.read_backs.see(batch_of([(1, NOW - 61 * SECOND, 9.5, 0), (1, NOW - 59 * SECOND, 8.0, 0)]))
    assert await told.shown() == [8.0]


async def test_a_text_is_read_back_as_a_number_is() -> None:
    told = Told()
    told.read_backs.see(TextBatch.of([1], [NOW + SECOND], ["LOT-2"], [0]))
    assert await told.shown() == ["LOT-2"]


async def test_what_is_given_up_is_told_with_the_reason() -> None:
    told = Told()
    told.read_backs.give_up(1, "another command was given for the tag")
    told.read_backs.see(batch_of([(1, NOW + SECOND, 8.0, 0)]))
    assert await told.shown() == [None]
    assert told.events[0].detail["detail"] == "not read back: another command was given for the tag"


async def test_two_commands_of_one_tag_are_each_told_of_once_and_the_second_has_its_own_time() -> None:
    told = Told()
    told.read_backs.see(batch_of([(1, NOW + SECOND, 8.0, 0)]))
    await asyncio.sleep(0.03)
    told.read_backs.expect(1, Command("c2", "SEP.COL101.FIC101.SP", 6.0, "test", "admin", NOW + 2 * SECOND), NOW + 2 * SECOND)
    assert [(event.id, event.detail["read_back"]) for event in told.events] == [("c1:read_back", 8.0)]
    assert await told.shown() == [8.0], "the timer of the first does not end the second"
    told.read_backs.see(batch_of([(1, NOW + 3 * SECOND, 6.0, 0)]))
    assert await told.shown() == [8.0, 6.0]
    assert told.events[1].id == "c2:read_back"


async def test_what_is_never_shown_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_backs_module, "_FORGOTTEN_AFTER", 0.05)
    told = Told()
    assert await told.shown() == [None]
    assert "showed nothing within" in str(told.events[0].detail["detail"])


async def test_no_more_than_a_hundred_are_awaited() -> None:
    told = Told()
    for number in range(100):
        told.read_backs.expect(2 + number, Command(f"d{number}", "SEP.COL101.FIC102.SP", 1.0, "test", "admin", NOW), NOW)
    assert [event.id for event in told.events] == ["c1:read_back"]
