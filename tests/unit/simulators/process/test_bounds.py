import math
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from simulators.process.bounds import SHARE, Within, check_parameters


@dataclass(frozen=True, slots=True)
class FanParameters:
    speed_rpm: Annotated[float, Within(0.0, 3000.0, "rpm")] = 1500.0
    share: Annotated[float, SHARE] = 0.5
    cut_ppm: Annotated[tuple[float, float], Within(1.0, 10.0, "ppm")] = (2.0, 3.0)
    lag_s: Annotated[float | None, Within(1.0, math.inf, "s")] = None
    free: float = 1e9

    def __post_init__(self) -> None:
        check_parameters(self)


def test_a_number_in_its_range_is_given_back() -> None:
    assert [SHARE.check("fan", "share", value) for value in (0.0, 0.5, 1.0)] == [0.0, 0.5, 1.0]
    FanParameters(lag_s=math.inf, free=-1e9)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.1, 1.0 + 1e-6])
def test_an_impossible_input_is_named(value: float) -> None:
    with pytest.raises(ValueError, match=rf"FAN101: share is {value:.9g}; give 0 to 1$"):
        SHARE.check("FAN101", "share", value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"speed_rpm": 9000.0}, r"FanParameters: speed_rpm is 9000 rpm; give 0 to 3000 rpm$"),
        ({"share": math.nan}, r"FanParameters: share is nan; give 0 to 1$"),
        ({"cut_ppm": (2.0, 0.5)}, r"FanParameters: cut_ppm is 0\.5 ppm; give 1 to 10 ppm$"),
        ({"lag_s": 0.0}, r"FanParameters: lag_s is 0 s; give 1 to inf s$"),
    ],
)
def test_every_number_of_the_parameters_is_looked_at(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FanParameters(**fields)
