from plant.device import Expression
from services.gateway.calculation import Calculation
from tests.samples import batch_of, make_tag, rows_of

FORCE = make_tag(1, "SIN.PRS101.WT101")
AREA = make_tag(2, "SIN.PRS101.ZT101")
RESULT = make_tag(3, "SIN.PRS101.DY101")
BY_NAME = {tag.name: tag for tag in (FORCE, AREA, RESULT)}


def pressure() -> Calculation:
    return Calculation(RESULT, Expression("F / A", {"F": FORCE.name, "A": AREA.name}), BY_NAME)


def test_nothing_before_every_input_had_a_sample() -> None:
    calculation = pressure()
    assert len(calculation.results(batch_of([(1, 10, 6.0, 0)]))) == 0
    assert rows_of(calculation.results(batch_of([(2, 20, 2.0, 0)]))) == [(3, 20, 3.0, 0)]


def test_inputs_hold_their_latest_value_at_each_time() -> None:
    calculation = pressure()
    batch = batch_of([(2, 10, 2.0, 0), (1, 10, 6.0, 0), (1, 30, 9.0, 0), (1, 20, 8.0, 0), (2, 25, 4.0, 0)])
    assert rows_of(calculation.results(batch)) == [(3, 10, 3.0, 0), (3, 20, 4.0, 0), (3, 25, 2.0, 0), (3, 30, 2.25, 0)]


def test_from_batch_to_batch_the_newest_sample_of_an_input_is_remembered() -> None:
    calculation = pressure()
    calculation.results(batch_of([(1, 30, 9.0, 0), (1, 20, 8.0, 0), (1, 30, 10.0, 0), (2, 10, 2.0, 0)]))
    assert rows_of(calculation.results(batch_of([(2, 40, 4.0, 0)]))) == [(3, 40, 2.5, 0)], "of equal times the last arrival counts"


def test_a_late_sample_is_no_newer_for_having_come_last() -> None:
    calculation = pressure()
    calculation.results(batch_of([(1, 200, 8.0, 0), (2, 100, 2.0, 0)]))
    calculation.results(batch_of([(1, 150, 100.0, 0)]))
    assert rows_of(calculation.results(batch_of([(2, 300, 4.0, 0)]))) == [(3, 300, 2.0, 0)]


def test_other_tags_cause_nothing() -> None:
    calculation = pressure()
    calculation.results(batch_of([(1, 10, 6.0, 0), (2, 10, 2.0, 0)]))
    assert len(calculation.results(batch_of([(44, 20, 1.0, 0)]))) == 0
