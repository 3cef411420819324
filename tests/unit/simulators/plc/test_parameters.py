"""What a PLC is described with has ranges and units as the parameters of process models have them."""

import dataclasses
import math
from typing import Any, get_args, get_type_hints

import pytest

from simulators import plc
from simulators.plc import HeartbeatWatch, PidLoop, ScanTiming, devices, interlocks, sequences, when
from simulators.plc.devices import BlockValve, ControlValve, Heater, Motor
from simulators.plc.interlocks import Cause, Effect, Interlock
from simulators.plc.sequences import COMPLETE, Ramp, Reaction, Step, Transition
from simulators.process.bounds import Within
from simulators.process.control import Tuning

DESCRIPTIONS: list[Any] = [
    BlockValve("T.U", "1"),
    Cause(when("T.U.PT1 > 4")[0]),
    ControlValve("T.U.FV1", "T.U.ZT1"),
    Effect("T.U.HS1", 0.0, for_s=1.0),
    HeartbeatWatch("T.U.KQ1", "T.U.KA1"),
    Heater("T.U", "1", "T.U.TIC1.OP", 1200.0),
    Interlock("X", "x", (), ()),
    Motor("T.U", "1"),
    PidLoop("T.U.TIC1", Tuning(1.0), 0.0, 100.0),
    Ramp("T.U.TIC1.SP", 100.0, 5.0),
    Reaction(),
    ScanTiming(0.1),
    Step("A", 1, (), 60.0),
    Transition(COMPLETE),
]
OF_A_SIGNAL = {
    "Condition.value",
    "Effect.value",
    "PidLoop.high",
    "PidLoop.low",
    "PidLoop.output",
    "PidLoop.output_high",
    "PidLoop.output_low",
    "PidLoop.set_point",
    "Ramp.target",
    "Reaction.sets",
    "Signal.high",
    "Signal.initial",
    "Signal.low",
    "Signal.safe",
    "Step.sets",
}
"""In the unit of a signal, whose own range decides."""
OF_A_RATIO = {"Group.needed"}
ENDINGS = {"s": "_s", "A": "_a", "%": "_percent", "%/s": "_percent_per_s"}


def numbers(kind: Any) -> dict[str, list[Within]]:
    """Of the fields that are numbers, the ranges in their types."""
    found = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        plain = get_args(hint)[0] if hasattr(hint, "__metadata__") else hint
        if plain in (float, int) or float in get_args(plain):
            found[name] = [part for part in getattr(hint, "__metadata__", ()) if isinstance(part, Within)]
    return found


def test_every_number_has_its_range_and_its_unit() -> None:
    kinds = {
        getattr(package, name)
        for package in (plc, devices, interlocks, sequences)
        for name in package.__all__
        if dataclasses.is_dataclass(getattr(package, name))
    }
    bare = {f"{kind.__name__}.{name}" for kind in kinds for name, ranges in numbers(kind).items() if not ranges}
    assert bare == OF_A_SIGNAL | OF_A_RATIO
    assert {kind for kind in kinds if any(numbers(kind).values())} == {type(one) for one in DESCRIPTIONS}
    for kind in kinds:
        for name, ranges in numbers(kind).items():
            for within in ranges:
                assert not within.unit or f"_{name}".endswith(ENDINGS[within.unit]), f"{kind.__name__}.{name} is in {within.unit}"


@pytest.mark.parametrize("description", DESCRIPTIONS, ids=lambda one: type(one).__name__)
def test_a_value_out_of_its_range_is_refused(description: Any) -> None:
    for name in (name for name, ranges in numbers(type(description)).items() if ranges):
        with pytest.raises(ValueError, match=rf"^{type(description).__name__}: {name} is nan.*; give "):
            dataclasses.replace(description, **{name: math.nan})
