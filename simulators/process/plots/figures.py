"""What the documentation shows of the process models, each figure a run of its own: no noise, so that every run is the same."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from simulators.process.control import Mode, Pid, Programme, Segment, Tuning
from simulators.process.magnet import AlignedPress
from simulators.process.plots.line_plot import Axis, Curve, LinePlot, Span
from simulators.process.separation import MOLAR_MASS, OXIDE_MASS, WIDE, Column, Ion, leachate, ligand, run
from simulators.process.thermal import FurnaceParameters, SinterFurnace, SinterFurnaceInputs

_VELOCITY_M_PER_H: Final = 5.0
_INJECTION_KG: Final = 276.0
_FEED_KG: Final = {Ion.DY: 13.90, Ion.TB: 4.19, Ion.ND: 307.61, Ion.PR: 93.92}
"""Metal of a day's leachate of the reference module."""
_PURITY: Final = 0.995
_TRAVEL_MM: Final = Axis("travel of the ram, mm", (0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0))


def chromatogram() -> LinePlot:
    """The primary column of the recipe: 276 kg of oxide loaded on a bed in Cu form and displaced by 0.09 mol/L of ligand."""
    column, flow_m3_per_h = Column(WIDE), _VELOCITY_M_PER_H * WIDE.area_m2
    feed = leachate(0.10, {ion: mass / float(MOLAR_MASS[ion]) for ion, mass in _FEED_KG.items()})
    run(column, flow_m3_per_h, feed, _INJECTION_KG / float((feed.concentration * OXIDE_MASS).sum()) / flow_m3_per_h)
    before = 6.0
    run(column, flow_m3_per_h, ligand(0.09), before)
    effluent = run(column, flow_m3_per_h, ligand(0.09), 3.5)
    hours, strength = effluent.times_h + before, effluent.amounts / effluent.volumes_l
    labels = {Ion.CU: "Cu", Ion.DY: "Dy", Ion.TB: "Tb", Ion.ND: "Nd", Ion.PR: "Pr", Ion.DISPLACER: "NH4 or Na"}
    pools = {ion: effluent.best_pool((ion,), _PURITY) for ion in (Ion.ND, Ion.PR)}
    return LinePlot(
        "Effluent of the primary column: 276 kg of oxide, plates of 2 cm",
        Axis("hours of displacement", (6.0, 6.5, 7.0, 7.5, 8.0, 8.5, 9.0, 9.5)),
        Axis("mol/L of rare-earth equivalents", (0.0, 0.03, 0.06, 0.09, 0.12)),
        tuple(Curve(label, hours, strength[ion]) for ion, label in labels.items()),
        spans=tuple(Span(f"{ion.name.title()} 99.5 %", pool.start_h + before, pool.end_h + before) for ion, pool in pools.items() if pool is not None),
    )


def sintering() -> LinePlot:
    """350, 600, 850 and 1 065 degC under vacuum, then argon at 200 kPa; the integral time is as long as the furnace's own.

    One zone stands for three, which do the same.
    """
    furnace = SinterFurnace(FurnaceParameters(zones=1))
    segments = [Segment(350.0, 5.0, 3600.0), Segment(600.0, 5.0, 3600.0), Segment(850.0, 5.0, 5400.0), Segment(1065.0, 4.0, 14400.0)]
    programme, loop, dt = Programme(segments), Pid(Tuning(2.4, 4000.0, tracking_s=60.0)), 10.0
    loop.set_point = programme.set_point_c
    loop.change_mode(Mode.AUTOMATIC)
    rows: list[tuple[float, float, float, float]] = []
    seconds = soaked = 0.0
    while seconds < 12.0 * 3600.0:
        loop.set_point = programme.step(dt)
        if programme.is_complete:
            soaked = soaked or seconds
            furnace.step(dt, SinterFurnaceInputs((0.0,), pump_open=False, argon_open=True, blower_on=True))
        else:
            furnace.step(dt, SinterFurnaceInputs((loop.step(dt, furnace.masses.heater_c[0]),), pump_open=True))
        seconds += dt
        rows.append((seconds / 3600.0, furnace.masses.heater_c[0], furnace.masses.charge_c[0], 100.0 * furnace.worst_zone.relative_density))
    hours, heater, charge, density = np.array(rows).T
    return LinePlot(
        "Sintering: 500 kg of magnets, argon quench after the soak",
        Axis("hours", tuple(np.arange(0.0, 13.0).tolist())),
        Axis("degC", (0.0, 200.0, 400.0, 600.0, 800.0, 1000.0, 1200.0)),
        (Curve("heater, degC", hours, heater), Curve("charge, degC", hours, charge), Curve("density, % of full", hours, density, is_right=True)),
        Axis("% of full density", (50.0, 60.0, 70.0, 80.0, 90.0, 100.0)),
        (Span("soak", (soaked - segments[-1].soak_s) / 3600.0, soaked / 3600.0),),
    )


def press_force() -> LinePlot:
    """A stroke to 4.4 g/cm3 with 1.0 kg of powder, and the same stroke after a fill of 1.5 kg, which the relief valve ends."""
    return LinePlot(
        "Aligned press: force over the travel of the ram",
        _TRAVEL_MM,
        Axis("kN", (0.0, 200.0, 400.0, 600.0, 800.0, 1000.0)),
        (_stroke("1.0 kg of powder", 1.0), _stroke("1.5 kg, a double fill", 1.5)),
    )


def _stroke(label: str, powder_kg: float) -> Curve:
    press, dt = AlignedPress(), 0.01
    stop_m = 1.0 / (press.parameters.die_m2 * 4.4e3)
    press.fill(powder_kg)
    start, rows = press.height_m, [(0.0, 0.0)]
    for _ in range(1000):
        before = press.height_m
        press.step(dt, True, stop_m, 900.0)
        if press.height_m == before:
            break
        rows.append((1e3 * (start - press.height_m), press.force_kn))
    travel, force = np.array(rows).T
    return Curve(label, travel, force)


FIGURES: Final[Mapping[str, Callable[[], LinePlot]]] = {"chromatogram": chromatogram, "sintering": sintering, "press-force": press_force}
"""By the name of the file."""
