"""The programme of the sintering furnace, on a furnace."""

import math
from dataclasses import replace

import numpy as np
import pytest

from plant import reference_site
from simulators.plc import PidLoop, Plc, Program, ScanTiming, reference_signals
from simulators.plc.interlocks import reference_interlocks
from simulators.plc.sequences import ProceduralState, SequenceCommand, Step, sinter_programme
from simulators.process.control import Tuning
from simulators.process.thermal import SinterFurnace, SinterFurnaceInputs
from tests.unit.simulators.plc.program_parts import state_of

UNIT = "SIN.FUR101"
SIGNALS = reference_signals(reference_site())
INTERLOCKS = tuple(one for one in reference_interlocks(SIGNALS) if one.id.startswith(("I-22", "I-23", "I-24", "I-25")))
SEQUENCE = sinter_programme()
LOOPS = [PidLoop(f"{UNIT}.TIC10{zone}", Tuning(1.2, 4500.0), 0.0, 1300.0, 20.0) for zone in (1, 2, 3)]
USED = {*SEQUENCE.uses, *(name for interlock in INTERLOCKS for name in interlock.uses)}
PROGRAM = Program([SIGNALS[name] for name in sorted(USED) if name in SIGNALS], LOOPS, INTERLOCKS, [SEQUENCE])
DT = 5.0
STEPS = [step.name for step in SEQUENCE.steps]


class Furnace:
    """Furnace and PLC, a step of 5 s a time."""

    def __init__(self) -> None:
        self.model = SinterFurnace()
        self.plc = Plc("MB-SIN-02", PROGRAM, ScanTiming(2.5), np.random.default_rng(3))
        self.procedure = self.plc.sequences[SEQUENCE.tag]
        self.is_door_closed = True
        self.highest_c = 0.0
        self.visited: list[str] = []
        self.run(10.0)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / DT)):
            self.step()

    def step(self) -> None:
        plc, model = self.plc, self.model
        regulator = plc.output(f"{UNIT}.PIC102.SP") * 1e3
        inputs = SinterFurnaceInputs(
            [plc.output(f"{UNIT}.TIC10{zone}.OP") * plc.output(f"{UNIT}.HS101") for zone in (1, 2, 3)],
            pump_open=plc.output(f"{UNIT}.XV101") == 1.0,
            argon_open=model.chamber.pressure_pa < regulator,
            blower_on=plc.output(f"{UNIT}.HS102") == 1.0,
        )
        model.step(DT, inputs)
        for zone, temperature in enumerate(model.masses.heater_c, 1):
            plc.connect(f"{UNIT}.TIC10{zone}", temperature)
        load = min(model.masses.charge_c)
        self.highest_c = max(self.highest_c, *model.masses.heater_c)
        measured = {"TT104": load, "TT105": max(model.masses.heater_c), "FT101": 220.0, "TT106": 33.0, "ZSC101": float(self.is_door_closed)}
        measured |= {"PT101": math.log10(model.chamber.pressure_pa), "PT102": model.chamber.pressure_pa / 1e3}
        for name, value in measured.items():
            plc.connect(f"{UNIT}.{name}", value)
        plc.step(DT)
        if self.procedure.step and self.visited[-1:] != [self.procedure.step]:
            self.visited.append(self.procedure.step)


def test_a_charge_goes_from_pump_to_complete_and_is_sintered() -> None:
    furnace = Furnace()
    assert furnace.procedure.command(SequenceCommand.START)
    hours = 0.0
    while furnace.procedure.step != "UNLOAD":
        furnace.run(600.0)
        hours += 1.0 / 6.0
        assert state_of(furnace.procedure) is ProceduralState.RUNNING, (furnace.procedure.step, furnace.procedure.reason)
        assert hours < 40.0, furnace.procedure.step
    furnace.run(600.0)
    furnace.is_door_closed = False
    furnace.run(20.0)
    assert state_of(furnace.procedure) is ProceduralState.COMPLETE
    assert furnace.visited == STEPS
    assert furnace.plc.interlocks.tripped == ["I-25"]
    assert furnace.plc.interlocks["I-24A"].trips == 0
    assert 11.0 < hours < 15.0
    assert furnace.highest_c < 1065.0 + 5.0
    assert furnace.model.worst_zone.relative_density > 0.99


def hastened(step: Step) -> Step:
    return replace(step, transitions=tuple(replace(one, for_s=one.for_s / 20.0) for one in step.transitions))


HASTENED = replace(SEQUENCE, steps=tuple(hastened(step) for step in SEQUENCE.steps))


class Obliging:
    """A plant that does what each step waits for, with soaks of minutes for hours."""

    def __init__(self) -> None:
        self.plc = Plc("MB-SIN-02", replace(PROGRAM, sequences=[HASTENED]), ScanTiming(2.5), np.random.default_rng(0))
        self.procedure = self.plc.sequences[SEQUENCE.tag]
        self.give({"ZSC101": 1.0, "PT101": 5.0, "PT102": 101.0, "FT101": 220.0, "TT106": 33.0, "TT104": 20.0, "TT105": 20.0})
        self.plc.step(5.0)
        assert self.procedure.command(SequenceCommand.START)
        self.plc.step(5.0)

    def give(self, values: dict[str, float]) -> None:
        for name, value in values.items():
            self.plc.connect(f"{UNIT}.{name}", value)

    def go_to(self, step: str) -> None:
        while self.procedure.step != step:
            now = self.procedure.step
            assert state_of(self.procedure) is ProceduralState.RUNNING
            (transition,) = HASTENED.steps[STEPS.index(now)].transitions
            if now in {"BACKFILL", "QUENCH"}:
                self.give({"PT101": 5.3})
            for condition in transition.when:
                beyond = 1.0 if condition.comparison == ">" else -1.0
                self.plc.connect(condition.tag, condition.value + 0.01 * beyond)
            for _ in range(2 + math.ceil(max(transition.for_s, transition.after_s) / 60.0)):
                if self.procedure.step == now:
                    self.plc.step(60.0)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("command", [SequenceCommand.HOLD, SequenceCommand.STOP, SequenceCommand.ABORT])
def test_from_every_step_it_can_be_held_stopped_and_aborted(step: str, command: SequenceCommand) -> None:
    plant = Obliging()
    plant.go_to(step)
    plc, procedure = plant.plc, plant.procedure
    for zone in (1, 2, 3):
        plant.give({f"TIC10{zone}": 300.0})
    plc.step(10.0)
    is_heating = plc.output(f"{UNIT}.HS101") == 1.0
    assert is_heating is ("350" in step or step in {"DEGAS", "RAMP_600", "DEHYDRIDE", "SOAK_850", "RAMP_1065", "SINTER"})
    was_pumping = plc.output(f"{UNIT}.XV101")
    assert was_pumping == float(is_heating or step == "PUMP")
    assert procedure.command(command)
    plc.step(30.0)
    if command is SequenceCommand.HOLD:
        assert state_of(procedure) is ProceduralState.HELD
        assert (plc.output(f"{UNIT}.HS101") == 1.0) is is_heating
        set_point = plc.read(f"{UNIT}.TIC101.SP")
        plc.step(60.0)
        assert plc.read(f"{UNIT}.TIC101.SP") == set_point
        plant.give({"PT101": 0.3})
        assert procedure.command(SequenceCommand.RESTART)
        plc.step(10.0)
        assert state_of(procedure) is ProceduralState.RUNNING
        assert procedure.step == ("PUMP" if step == "LEAK_TEST" else step)
        return
    assert state_of(procedure) is (ProceduralState.STOPPED if command is SequenceCommand.STOP else ProceduralState.ABORTED)
    assert plc.output(f"{UNIT}.HS101") == 0.0
    assert plc.output(f"{UNIT}.PIC102.SP") == 0.0
    assert plc.output(f"{UNIT}.XV101") == (was_pumping if command is SequenceCommand.STOP else 0.0)
    assert [plc.output(f"{UNIT}.TIC10{zone}.OP") for zone in (1, 2, 3)] == [0.0] * 3


def test_a_leak_holds_the_leak_test_and_pumping_begins_again() -> None:
    plant = Obliging()
    plant.go_to("LEAK_TEST")
    plant.give({"PT101": 1.5})
    for _ in range(6):
        plant.plc.step(60.0)
    assert state_of(plant.procedure) is ProceduralState.HELD
    assert plant.procedure.reason == "LEAK_TEST has not ended in 330 s"
    plant.procedure.command(SequenceCommand.RESTART)
    plant.plc.step(10.0)
    assert (plant.procedure.step, plant.plc.output(f"{UNIT}.XV101")) == ("PUMP", 1.0)


def test_it_does_not_start_with_the_door_open() -> None:
    plant = Furnace()
    plant.is_door_closed = False
    plant.run(10.0)
    assert not plant.procedure.command(SequenceCommand.START)


def test_water_lost_in_the_soak_takes_the_heat_away_whatever_the_programme_wants() -> None:
    plant = Obliging()
    plant.go_to("SINTER")
    plant.give({"FT101": 50.0})
    plant.plc.step(10.0)
    assert plant.procedure.step == "SINTER"
    outputs = {name: plant.plc.output(f"{UNIT}.{name}") for name in ("HS101", "XV101", "PIC102.SP", "XV103")}
    assert outputs == {"HS101": 0.0, "XV101": 0.0, "PIC102.SP": 90.0, "XV103": 1.0}
