"""How an aggregate treats data that are not Good: AggregateConfigurationType of OPC UA Part 13, 4.2.1.2."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AggregateConfiguration:
    """Defaults are those of the standard.

    ``treat_uncertain_as_bad``: Uncertain samples are left out as Bad ones are. ``percent_data_bad``: from this percentage of Bad on, the result is
    Bad; ``percent_data_good``: from this percentage of Good on, it is Good; between them UncertainDataSubNormal. Where both hold, Good counts.
    ``use_sloped_extrapolation``: after the last sample a continuous tag goes on along the line through its last two, else it is held.

    Raises:
        ValueError: a percentage outside 0 to 100, or the two leave a ratio that is Good and Bad.
    """

    treat_uncertain_as_bad: bool = True
    percent_data_bad: int = 100
    percent_data_good: int = 100
    use_sloped_extrapolation: bool = False

    def __post_init__(self) -> None:
        if not (0 <= self.percent_data_bad <= 100 and 0 <= self.percent_data_good <= 100):
            raise ValueError(f"percentages of data are 0 to 100, not {self.percent_data_bad} (Bad) and {self.percent_data_good} (Good)")
        if self.percent_data_good < 100 - self.percent_data_bad:
            raise ValueError(
                f"percent_data_good {self.percent_data_good} is below 100 - percent_data_bad {self.percent_data_bad}: raise one of them (Part 13, 4.2.1.2)"
            )
