"""What holds of every model that is stepped: a step of 0 changes nothing, an impossible step is refused, the caller's step does not change the history, and the
same seed is the same history."""

import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from simulators.process import control, magnet, separation, thermal
from simulators.process.control import Mode, Pid, Programme, Segment, Tuning
from simulators.process.magnet import AlignedPress, BoundaryDiffusion, DecrepitationVessel, JetMill
from simulators.process.separation import (
    Bed,
    Column,
    ColumnParameters,
    CutParameters,
    CutState,
    Detector,
    Indication,
    Ion,
    OutletValve,
    Pump,
    ValveParameters,
    ligand,
    next_cut,
)
from simulators.process.thermal import (
    Calciner,
    ElectrolysisCell,
    OxalateCharge,
    SinterFurnace,
    SinterFurnaceInputs,
    SinteringState,
    StripCaster,
    TwoMassFurnace,
    VacuumChamber,
)


@dataclass(frozen=True, slots=True)
class Case:
    """A model at work. ``read`` gives what must not depend on the caller's step, each to ``tolerance``."""

    make: Callable[[], Any]
    step: Callable[[Any, float], object]
    read: Callable[[Any], tuple[float, ...]]
    tolerance: float = 0.002


def hot_furnace() -> TwoMassFurnace:
    return TwoMassFurnace(start_k=900.0)


def hot_sinter_furnace() -> SinterFurnace:
    furnace = SinterFurnace()
    furnace.masses.heater_k, furnace.masses.charge_k = [800.0] * 3, [800.0] * 3
    return furnace


def automatic() -> Pid:
    pid = Pid(Tuning(1.0, 900.0))
    pid.set_point = 10.0
    pid.change_mode(Mode.AUTOMATIC)
    return pid


def drifting() -> Detector:
    detector = Detector(np.random.default_rng(5))
    detector.drift_au_per_d = 0.02
    return detector


def pressing() -> AlignedPress:
    press = AlignedPress()
    press.fill(1.0)
    return press


def loaded() -> Column:
    return Column(ColumnParameters(bore_m=0.1, length_m=0.4))


class Cuts:
    """``next_cut`` as a model: Nd of 99 % leaves the column."""

    name = "fraction cuts"

    def __init__(self) -> None:
        self.state = CutState()

    def step(self, dt: float) -> None:
        oxide_g_per_l = np.zeros(len(Ion))
        oxide_g_per_l[Ion.ND], oxide_g_per_l[Ion.PR] = 14.9, 0.1
        self.state = next_cut(self.state, Indication(oxide_g_per_l, is_faulty=False), dt, 9.12, CutParameters())


NEODYMIUM = np.eye(len(Ion))[Ion.ND] * 0.09
SINTERING = SinterFurnaceInputs((60.0, 50.0, 40.0), pump_open=True)
CASES = {
    "two masses": Case(hot_furnace, lambda m, dt: m.step(dt, (60.0, 50.0, 40.0)), lambda m: (*m.heater_k, *m.charge_k, m.account.shell_j)),
    "vacuum chamber": Case(
        lambda: VacuumChamber(hydride_mol=200.0, start_pa=0.0),
        lambda m, dt: m.step(dt, 850.0, pump_open=True),
        lambda m: (m.hydride_mol, m.hydrogen_pa, m.residual_pa),
    ),
    "sintering": Case(SinteringState, lambda m, dt: m.step(dt, 1330.0, 1330.0), lambda m: (m.relative_density, m.grain_um)),
    "sinter furnace": Case(hot_sinter_furnace, lambda m, dt: m.step(dt, SINTERING), lambda m: (*m.masses.charge_k, m.chamber.hydride_mol)),
    "oxalate": Case(lambda: OxalateCharge(1050.0), lambda m, dt: m.step(dt, 680.0), lambda m: (m.solid_kg, *m.gas_mol), 0.01),
    "calciner": Case(lambda: Calciner(1050.0), lambda m, dt: m.step(dt, 80.0), lambda m: (m.chamber_k, m.charge_k, m.charge.solid_kg)),
    "electrolysis": Case(ElectrolysisCell, lambda m, dt: m.step(dt, 6000.0, 8.0), lambda m: (m.bath_k, m.oxide_kg, m.metal_kg, m.voltage_v, m.cf4_ppm), 0.01),
    "strip caster": Case(
        lambda: StripCaster(start_c=1440.0), lambda m, dt: m.step(dt, 55.0, pour_kg_per_s=0.2), lambda m: (m.melt_k, m.strip_kg, m.chamber.pressure_pa)
    ),
    "decrepitation": Case(DecrepitationVessel, lambda m, dt: m.step(dt, 20.0, cooling=True), lambda m: (m.temperature_k, *m.absorbed_mol, m.pressure_pa), 0.01),
    "jet mill": Case(
        JetMill, lambda m, dt: m.step(dt, 4200.0, 6.0, 60.0, 0.05), lambda m: (m.hold_up_kg, m.product_kg, m.circuit_oxygen_ppm, m.powder_oxygen_ppm)
    ),
    "press": Case(pressing, lambda m, dt: m.step(dt, True, 0.04, 900.0), lambda m: (m.height_m, m.force_kn, m.field_t, m.alignment)),
    "diffusion": Case(BoundaryDiffusion, lambda m, dt: m.step(dt, 1173.15), lambda m: (m.depth_mm, m.absorbed_kg)),
    "programme": Case(
        lambda: Programme([Segment(100.0, 5.0, 300.0), Segment(60.0, 10.0, 0.0)]), lambda m, dt: m.step(dt), lambda m: (m.set_point_c, m.position)
    ),
    "column": Case(loaded, lambda m, dt: m.step(dt, 0.02, ligand(0.09)), lambda m: tuple(m.left + m.held()), 1e-9),
    "bed": Case(Bed, lambda m, dt: m.step(dt, 5.0, 3.0), lambda m: (m.void, m.loose, m.fixed), 1e-9),
    "detector": Case(drifting, lambda m, dt: m.step(dt, NEODYMIUM), lambda m: (m.baseline_au,), 1e-9),
    "pump": Case(lambda: Pump(np.random.default_rng(5)), lambda m, dt: m.step(dt, 1500.0, 0.6, 1.2, 0.43), lambda m: (m.speed_rpm,), 1e-9),
    "outlet valve": Case(lambda: OutletValve(1, ValveParameters(travel_s_per_port=8.0)), lambda m, dt: m.step(dt, 4), lambda m: (m.port, m.position)),
    "fraction cuts": Case(Cuts, lambda m, dt: m.step(dt), lambda m: (m.state.port, m.state.volume_l), 1e-9),
    "controller": Case(automatic, lambda m, dt: m.step(dt, 0.0), lambda m: (m.output,), 0.05),
}
ALL = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


@ALL
def test_a_step_of_nothing_changes_nothing(case: Case) -> None:
    model = case.make()
    for _ in range(3):
        case.step(model, 0.1)
    before = pickle.dumps(model)
    case.step(model, 0.0)
    assert pickle.dumps(model) == before
    case.step(model, 1.0)
    assert pickle.dumps(model) != before


@ALL
@pytest.mark.parametrize("dt", [-1.0, math.nan, math.inf, 86400.0])
def test_an_impossible_step_is_refused_and_changes_nothing(case: Case, dt: float) -> None:
    model = case.make()
    before = pickle.dumps(model)
    with pytest.raises(ValueError, match=rf"^{model.name}: dt is .* s; give 0 to 60 s$"):
        case.step(model, dt)
    assert pickle.dumps(model) == before


@ALL
def test_the_length_of_the_step_does_not_change_the_history(case: Case) -> None:
    fine, coarse = case.make(), case.make()
    for _ in range(900):
        case.step(fine, 1.0)
    for _ in range(15):
        case.step(coarse, 60.0)
    assert case.read(coarse) == pytest.approx(case.read(fine), rel=case.tolerance)


@ALL
def test_the_same_seed_is_the_same_history(case: Case) -> None:
    histories = [case.make(), case.make()]
    for model in histories:
        for _ in range(20):
            case.step(model, 7.0)
    assert pickle.dumps(histories[0]) == pickle.dumps(histories[1])


def test_every_class_that_is_stepped_is_here() -> None:
    stepped = {
        name
        for package in (control, magnet, separation, thermal)
        for name in package.__all__
        if hasattr(getattr(package, name), "step") and isinstance(getattr(package, name), type)
    }
    assert {type(case.make()).__name__ for case in CASES.values()} - {"Cuts"} == stepped
