import numpy as np
import pytest

from plant.device import Expression
from plant.quality import Quality
from plant.site import Site
from services.calculation import Formula, Held, formulas_of
from tests.samples import make_tag, rows_of

FORCE = make_tag(1, "SIN.PRS101.WT101")
AREA = make_tag(2, "SIN.PRS101.ZT101")
PRESSURE = make_tag(3, "SIN.PRS101.DY101", source=Expression("F / A", {"F": FORCE.name, "A": AREA.name}))
FORMULA = Formula(3, "F / A", {"F": 1, "A": 2})
BAD, UNCERTAIN = int(Quality.BAD_SENSOR_FAILURE), int(Quality.UNCERTAIN_SENSOR_NOT_ACCURATE)


def held(*values: float, quality: int = 0, known: bool = True) -> Held:
    count = len(values)
    return Held(np.array(values, np.float64), np.full(count, quality, np.int16), np.full(count, known))


def one(force: Held, area: Held) -> list[tuple[int, int, float, int]]:
    return rows_of(FORMULA.results(np.array([10], np.int64), {1: force, 2: area}))


def test_the_formulas_of_a_site_are_its_expressions_with_tags_by_id() -> None:
    assert formulas_of(Site("Test", {}, (FORCE, AREA, PRESSURE))) == [FORMULA]


def test_results_stand_at_the_times_asked_for() -> None:
    results = FORMULA.results(np.array([10, 20], np.int64), {1: held(6.0, 8.0), 2: held(2.0, 2.0)})
    assert rows_of(results) == [(3, 10, 3.0, 0), (3, 20, 4.0, 0)]


def test_nothing_before_every_input_had_a_sample() -> None:
    assert one(held(6.0), held(np.nan, quality=int(Quality.BAD_WAITING_FOR_INITIAL_DATA), known=False)) == []


@pytest.mark.parametrize(("force", "area", "worst"), [(0, UNCERTAIN, UNCERTAIN), (BAD, UNCERTAIN, BAD), (0, BAD, BAD), (0, 0, 0)])
def test_the_worst_quality_of_the_inputs_is_the_results(force: int, area: int, worst: int) -> None:
    ((_, _, value, quality),) = one(held(6.0, quality=force), held(2.0, quality=area))
    assert quality == worst
    assert np.isnan(value) == (worst < 0), "a Bad result carries no value"


def test_outside_the_domain_the_result_is_bad() -> None:
    ((_, _, value, quality),) = one(held(6.0), held(0.0))
    assert quality == Quality.BAD_OUT_OF_RANGE
    assert np.isnan(value)


def test_one_tag_may_stand_for_several_variables() -> None:
    square = Formula(3, "X * Y", {"X": 1, "Y": 1})
    assert square.input_ids == [1]
    assert rows_of(square.results(np.array([10], np.int64), {1: held(3.0)})) == [(3, 10, 9.0, 0)]
