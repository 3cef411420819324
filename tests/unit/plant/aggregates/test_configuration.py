import pytest

from plant.aggregates import AggregateConfiguration


def test_the_defaults_are_those_of_the_standard() -> None:
    assert AggregateConfiguration() == AggregateConfiguration(
        treat_uncertain_as_bad=True, percent_data_bad=100, percent_data_good=100, use_sloped_extrapolation=False
    )


@pytest.mark.parametrize(("bad", "good", "says"), [(-1, 100, "0 to 100"), (100, 101, "0 to 100"), (40, 50, "raise one")])
def test_percentages_that_make_no_sense_are_refused(bad: int, good: int, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        AggregateConfiguration(percent_data_bad=bad, percent_data_good=good)
