import math
from dataclasses import replace

import pytest

from plant.command import Command, CommandState, CommandValue, check
from plant.tag import DataType, Tag
from tests.samples import make_tag

NOW = 1_000_000
SET_POINT = make_tag(2, "SEP.COL101.FIC101.SP", writable=True, eu_range=(0.0, 12.0))
VALVE = make_tag(3, "SEP.COL101.XV101", writable=True, data_type=DataType.BOOLEAN, eu_range=None)
PORT = make_tag(4, "SEP.COL101.ZC101", writable=True, data_type=DataType.UINT16, eu_range=(1.0, 7.0))
LOT = make_tag(5, "SEP.COL101.UY101", writable=True, data_type=DataType.STRING, eu_range=None)
UNBOUNDED = make_tag(6, "SEP.COL101.KC101", writable=True, eu_range=None)


def command_of(tag: Tag, value: CommandValue, expires: int = NOW + 1) -> Command:
    return Command("c-1", tag.name, value, "for a test", "operator", expires)


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (SET_POINT, 0.0),
        (SET_POINT, 12.0),
        (SET_POINT, 9.12),
        (VALVE, 0.0),
        (VALVE, 1.0),
        (PORT, 1.0),
        (PORT, 7.0),
        (LOT, "LOT-1"),
        (LOT, ""),
        (UNBOUNDED, -1e300),
    ],
)
def test_a_value_within_the_limits_may_be_written(tag: Tag, value: CommandValue) -> None:
    assert check(command_of(tag, value), tag, NOW) is None


@pytest.mark.parametrize(
    ("tag", "value", "detail"),
    [
        (SET_POINT, 12.000001, "12 lies outside 0 to 12 bar, the limits of SEP.COL101.FIC101.SP"),
        (SET_POINT, -0.5, "-0.5 lies outside 0 to 12 bar"),
        (SET_POINT, math.nan, "takes a finite number, not nan"),
        (UNBOUNDED, math.inf, "takes a finite number, not inf"),
        (SET_POINT, "9", "takes a finite number, not '9'"),
        (VALVE, 0.5, "takes whole numbers, not 0.5"),
        (VALVE, 2.0, "2 lies outside 0 to 1"),
        (PORT, 0.0, "0 lies outside 1 to 7"),
        (PORT, 3.5, "takes whole numbers, not 3.5"),
        (LOT, 1.0, "takes text, not 1.0"),
        (replace(SET_POINT, writable=False), 1.0, "SEP.COL101.FIC101.SP is not writable"),
    ],
)
def test_any_other_is_rejected_with_a_reason(tag: Tag, value: CommandValue, detail: str) -> None:
    refusal = check(command_of(tag, value), tag, NOW)
    assert refusal is not None
    assert refusal.state is CommandState.REJECTED
    assert detail in refusal.detail


@pytest.mark.parametrize("late", [0, 1, 10**9])
def test_a_command_that_is_late_expires_whatever_it_says(late: int) -> None:
    refusal = check(command_of(SET_POINT, math.nan, expires=NOW), SET_POINT, NOW + late)
    assert refusal is not None
    assert refusal.state is CommandState.EXPIRED
    assert "prepare it again" in refusal.detail


def test_only_prepared_and_executing_are_not_final() -> None:
    assert [state for state in CommandState if not state.is_final] == [CommandState.PREPARED, CommandState.EXECUTING]
