import math

import pytest

from simulators.process.time_step import LONGEST_STEP_S, check_step, substeps


@pytest.mark.parametrize(("dt", "longest", "expected"), [(0.0, 5.0, (0, 0.0)), (1.0, 5.0, (1, 1.0)), (60.0, 7.0, (9, 60.0 / 9)), (2.0, math.inf, (1, 2.0))])
def test_a_step_is_made_of_equal_parts(dt: float, longest: float, expected: tuple[int, float]) -> None:
    assert substeps("FUR101", dt, longest) == expected


@pytest.mark.parametrize("dt", [-1e-9, math.nan, math.inf, LONGEST_STEP_S * 1.001, 86400.0])
def test_a_step_that_no_model_takes_is_refused_with_place_and_mend(dt: float) -> None:
    with pytest.raises(ValueError, match=r"FUR101: dt is .* s; give 0 to 60 s"):
        substeps("FUR101", dt, 5.0)
    with pytest.raises(ValueError, match=r"FUR101: dt is .* s; give 0 to 60 s"):
        check_step("FUR101", dt)
