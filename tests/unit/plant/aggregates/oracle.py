"""The aggregates of OPC UA Part 13 one interval and one sample at a time: slow, and written from the definitions, not from the engine."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from plant.aggregates import AggregateConfiguration, AggregateFunction
from plant.quality import Quality

F = AggregateFunction
UNSURE, NONE = int(Quality.UNCERTAIN_DATA_SUB_NORMAL), int(Quality.BAD_NO_DATA)
NAN = math.nan
_OF_SAMPLES = {F.COUNT, F.NUMBER_OF_TRANSITIONS, F.START, F.END, F.WORST_QUALITY, F.AVERAGE, F.DELTA, F.VARIANCE_SAMPLE, F.VARIANCE_POPULATION}
_OF_SAMPLES |= {F.STANDARD_DEVIATION_SAMPLE, F.STANDARD_DEVIATION_POPULATION}
_OF_BOUNDS = {F.INTERPOLATIVE, F.START_BOUND, F.END_BOUND, F.DELTA_BOUNDS, F.WORST_QUALITY_2}


class Sample(NamedTuple):
    time: int
    value: float
    quality: int

    @property
    def good(self) -> bool:
        return 0 <= self.quality < 0x4000

    @property
    def uncertain(self) -> bool:
        return self.quality >= 0x4000

    @property
    def bad(self) -> bool:
        return self.quality < 0


class Answer(NamedTuple):
    value: float
    quality: int
    percent_good: float
    partial: bool


class Piece(NamedTuple):
    """A stretch of an interval: seconds, mean value, whether it starts usable, and whether it is Good as a whole."""

    seconds: float
    level: float
    starts: Sample
    used: bool
    firm: bool


@dataclass
class Oracle:
    """All samples of a tag, as they came; the end of what is known of it."""

    samples: Sequence[Sample]
    stepped: bool
    configuration: AggregateConfiguration
    known_until: int

    def __post_init__(self) -> None:
        self.samples = [
            Sample(one.time, one.value, one.quality) if one.bad or math.isfinite(one.value) else Sample(one.time, NAN, int(Quality.BAD_OUT_OF_RANGE))
            for one in self.samples
        ]

    def usable(self, one: Sample | None) -> bool:
        return one is not None and (one.good or (one.uncertain and not self.configuration.treat_uncertain_as_bad))

    def answer(self, function: AggregateFunction, start: int, end: int) -> Answer:
        known = max(min(end, self.known_until) - start, 0)
        inside = [one for one in self.samples if start <= one.time < end]
        before = [one for one in self.samples if one.time < start]
        outside = known == 0 or not (before or inside)
        pieces = self.pieces(start, min(end, self.known_until))
        good = sum(piece.seconds for piece in pieces if piece.starts.good)
        percent = 100 * good / (known / 1e6) if known else 0.0
        begins = not before and bool(inside) and inside[0].time > start
        ends = not any(one.time >= end for one in self.samples) and end >= self.known_until
        value, quality = self.finish(function, start, end, inside, pieces, known / 1e6)
        always = function in {F.INTERPOLATIVE, F.TIME_AVERAGE, F.TOTAL}
        if outside and not always:
            value, quality = NAN, NONE
        return Answer(NAN if quality < 0 else value, quality, percent, not outside and (begins or ends))

    def finish(self, function: AggregateFunction, start: int, end: int, inside: Sequence[Sample], pieces: Sequence[Piece], known: float) -> tuple[float, int]:
        if function in {F.MINIMUM, F.MINIMUM_ACTUAL_TIME}:
            return self.extreme(inside, min)
        if function in {F.MAXIMUM, F.MAXIMUM_ACTUAL_TIME}:
            return self.extreme(inside, max)
        if function is F.RANGE:
            low, high = self.extreme(inside, min), self.extreme(inside, max)
            return high[0] - low[0], max(low[1], high[1])
        if function in _OF_SAMPLES:
            return self.of_samples(function, start, inside)
        if function in _OF_BOUNDS:
            return self.of_bounds(function, start, end, inside)
        return self.of_time(function, start, end, inside, pieces, known)

    def of_samples(self, function: AggregateFunction, start: int, inside: Sequence[Sample]) -> tuple[float, int]:
        good = [one.value for one in inside if one.good]
        if function is F.COUNT:
            return len(good), self.by_count(inside)
        if function is F.NUMBER_OF_TRANSITIONS:
            previous = [one.value for one in self.samples if one.time < start and self.usable(one)]
            chain = [previous[-1] if previous else NAN, *(one.value for one in inside if self.usable(one))]
            return sum(a != b for a, b in pairwise(chain)), self.by_count(inside)
        if function in {F.START, F.END, F.WORST_QUALITY}:
            if not inside:
                return NAN, NONE
            one = inside[0 if function is F.START else -1]
            return (self.worst([other.quality for other in inside]), 0) if function is F.WORST_QUALITY else (one.value, one.quality)
        if not good:
            return NAN, NONE
        mean = sum(good) / len(good)
        if function is F.AVERAGE:
            return mean, self.by_count(inside)
        if function is F.DELTA:
            return good[-1] - good[0], 0 if inside[0].good and inside[-1].good else UNSURE
        degrees = 1 if function in {F.VARIANCE_SAMPLE, F.STANDARD_DEVIATION_SAMPLE} else 0
        variance = sum((value - mean) ** 2 for value in good) / max(len(good) - degrees, 1)
        value = variance if function in {F.VARIANCE_SAMPLE, F.VARIANCE_POPULATION} else math.sqrt(variance)
        return value, UNSURE if len(good) < len(inside) else 0

    def of_bounds(self, function: AggregateFunction, start: int, end: int, inside: Sequence[Sample]) -> tuple[float, int]:
        if function is F.INTERPOLATIVE:
            return self.interpolated(start)
        if function is F.START_BOUND:
            return self.simple(start)
        if function is F.END_BOUND:
            return self.simple(end)
        if function is F.WORST_QUALITY_2:
            tolerant = Oracle(self.samples, self.stepped, AggregateConfiguration(treat_uncertain_as_bad=False), self.known_until)
            return self.worst([tolerant.simple(start)[1], *(one.quality for one in inside)]), 0
        (first, first_quality), (last, last_quality) = self.simple(start), self.simple(end)
        if first_quality < 0 or last_quality < 0:
            return NAN, NONE
        return last - first, UNSURE if max(first_quality, last_quality) >= 0x4000 else 0

    def of_time(self, function: AggregateFunction, start: int, end: int, inside: Sequence[Sample], pieces: Sequence[Piece], known: float) -> tuple[float, int]:
        used = sum(piece.seconds for piece in pieces if piece.used)
        firm = sum(piece.seconds for piece in pieces if piece.firm)
        good = sum(piece.seconds for piece in pieces if piece.starts.good)
        by_time = self.status(firm, used - firm, known - used, known)
        if function in {F.TIME_AVERAGE, F.TOTAL}:
            total, seconds, soft = self.through_usable(start, end, inside)
            return (total if function is F.TOTAL else total / seconds, UNSURE if soft else 0) if seconds else (NAN, NONE)
        if function in {F.TIME_AVERAGE_2, F.TOTAL_2}:
            integral = sum(piece.seconds * piece.level for piece in pieces if piece.used)
            return (integral if function is F.TOTAL_2 else integral / used, by_time) if used else (NAN, NONE)
        if function in {F.MINIMUM_2, F.MAXIMUM_2, F.RANGE_2}:
            bounds = [self.simple(start)[0]] + ([] if self.stepped else [self.simple(end)[0]])
            there = [value for value in [*(one.value for one in inside if self.usable(one)), *bounds] if not math.isnan(value)]
            found = {F.MINIMUM_2: min(there), F.MAXIMUM_2: max(there), F.RANGE_2: max(there) - min(there)} if there else {}
            return (found[function], by_time) if there else (NAN, NONE)
        if function in {F.DURATION_IN_STATE_ZERO, F.DURATION_IN_STATE_NON_ZERO}:
            zero = function is F.DURATION_IN_STATE_ZERO
            held = sum(piece.seconds for piece in pieces if piece.starts.good and (piece.starts.value == 0) == zero)
            return 1000 * held, self.status(good, used - good, known - used, known)
        seconds = good if function in {F.DURATION_GOOD, F.PERCENT_GOOD} else known - used
        return 1000 * seconds if function in {F.DURATION_GOOD, F.DURATION_BAD} else 100 * seconds / (known or 1), 0

    def status(self, good: float, soft: float, bad: float, total: float) -> int:
        """Good, usable but not Good, and Bad parts of a total, as 5.4.3.2.1 compares them. Sums of short floats are rounded to be compared."""
        good, soft, bad, total = (round(part, 7) for part in (good, soft, bad, total))
        tolerant = not self.configuration.treat_uncertain_as_bad
        if good == total:
            return 0
        counted = good + soft if tolerant else good
        if counted * 100 >= self.configuration.percent_data_good * total:
            return UNSURE if tolerant and soft else 0
        return int(Quality.BAD) if bad and bad * 100 >= self.configuration.percent_data_bad * total else UNSURE

    def by_count(self, inside: Sequence[Sample]) -> int:
        good = sum(one.good for one in inside)
        usable = sum(self.usable(one) for one in inside)
        return self.status(good, usable - good, len(inside) - usable, len(inside))

    def extreme(self, inside: Sequence[Sample], best: Callable[[list[float]], float]) -> tuple[float, int]:
        good = [one.value for one in inside if one.good]
        if not good:
            return NAN, NONE
        uncertain = [one.value for one in inside if one.uncertain]
        surpassed = bool(uncertain) and best([*uncertain, *good]) != best(good)
        soft = bool(uncertain) if self.configuration.treat_uncertain_as_bad else surpassed
        return best(good), UNSURE if soft or any(one.bad for one in inside) else 0

    @staticmethod
    def worst(qualities: Sequence[int]) -> float:
        rank = [2 if quality < 0 else 1 if quality >= 0x4000 else 0 for quality in qualities]
        return float(qualities[rank.index(max(rank))])

    def pieces(self, start: int, end: int) -> list[Piece]:
        """The interval cut at its samples; the value of a piece is that of its middle."""
        pieces = []
        for at, one in enumerate(self.samples):
            following = self.samples[at + 1] if at + 1 < len(self.samples) else None
            begin, stop = max(start, one.time), min(end, following.time if following else end)
            if stop <= begin:
                continue
            level = one.value
            if not self.stepped and following is not None and self.usable(following):
                level += (following.value - one.value) * ((begin + stop) / 2 - one.time) / (following.time - one.time)
            firm = one.good and (self.stepped or (following is not None and following.good))
            pieces.append(Piece((stop - begin) / 1e6, level, one, self.usable(one), firm))
        return pieces

    def through_usable(self, start: int, end: int, inside: Sequence[Sample]) -> tuple[float, float, bool]:
        """Integral, seconds covered, and whether anything of it is not Good, of the curve through the usable samples alone."""
        usable = [one for one in self.samples if self.usable(one)]
        total = seconds = 0.0
        soft = any(not one.good for one in inside)
        soft |= not any(one.time <= start for one in usable)
        for at, one in enumerate(usable):
            following = usable[at + 1] if at + 1 < len(usable) else None
            begin, stop = max(start, one.time), min(end, following.time if following else end)
            if stop <= begin:
                continue
            slope = self.slope(one, following, usable)
            total += (one.value + slope * ((begin + stop) / 2 - one.time)) * (stop - begin) / 1e6
            seconds += (stop - begin) / 1e6
            skipped = [other for other in self.samples if one.time < other.time < (following.time if following else math.inf)]
            if self.stepped:
                soft |= any(other.time < stop for other in skipped)
                soft |= following is None and not skipped and end >= self.known_until
                soft |= following is None and bool(skipped) and skipped[-1].time < end and end >= self.known_until
            else:
                soft |= bool(skipped) or following is None or following.uncertain
            soft |= one.uncertain
        return total, seconds, soft

    def slope(self, one: Sample, following: Sample | None, usable: Sequence[Sample]) -> float:
        if self.stepped:
            return 0.0
        if following is not None:
            return (following.value - one.value) / (following.time - one.time)
        if self.configuration.use_sloped_extrapolation and len(usable) > 1:
            return (usable[-1].value - usable[-2].value) / (usable[-1].time - usable[-2].time)
        return 0.0

    def simple(self, at: int) -> tuple[float, int]:
        """3.1.9"""
        exact = [one for one in self.samples if one.time == at]
        if exact:
            return (exact[0].value, exact[0].quality) if self.usable(exact[0]) else (NAN, NONE)
        earlier = [one for one in self.samples if one.time < at]
        later = [one for one in self.samples if one.time > at]
        if not earlier or not self.usable(earlier[-1]) or (not later and at >= self.known_until):
            return NAN, NONE
        one = earlier[-1]
        if self.stepped:
            return one.value, UNSURE if one.uncertain else 0
        if not later or not self.usable(later[0]):
            return one.value, UNSURE
        value = one.value + (later[0].value - one.value) * (at - one.time) / (later[0].time - one.time)
        return value, UNSURE if one.uncertain or later[0].uncertain else 0

    def interpolated(self, at: int) -> tuple[float, int]:
        """3.1.8"""
        usable = [one for one in self.samples if self.usable(one)]
        exact = [one for one in usable if one.time == at]
        if exact:
            return exact[0].value, exact[0].quality
        earlier, later = [one for one in usable if one.time < at], [one for one in usable if one.time > at]
        if not earlier:
            return NAN, NONE
        one, following = earlier[-1], later[0] if later else None
        value = one.value + self.slope(one, following, usable) * (at - one.time)
        last = following.time if following and not self.stepped else math.inf if not self.stepped else at + 1
        soft = one.uncertain or any(one.time < other.time < last for other in self.samples)
        if self.stepped:
            soft |= not any(other.time >= at for other in self.samples) and at >= self.known_until
        else:
            soft |= following is None or following.uncertain
        return value, UNSURE if soft else 0
