"""Programme of the sintering furnace: pump, leak test, degas, dehydride, sinter, quench, unload.

Temperatures, times and step numbers are those of the plant's process description. A soak counts by the load thermocouple: a furnace that lags is waited for,
and a soak that is lost for a moment begins anew. Held while it heats, the set-point stays where it is and the pump goes on; held before that or after, the
furnace keeps what it has. A leak test that fails is held, and goes on with pumping. Stopped, the heat is off and the pump stays as it was: open under vacuum,
shut from the backfill on. Aborted, everything is off and shut.
"""

from collections.abc import Mapping
from typing import Final

from simulators.plc.condition import when
from simulators.plc.sequences.procedural_state import SequenceCommand
from simulators.plc.sequences.step_sequence import COMPLETE, Ramp, Reaction, Step, StepSequence, Transition

_HOUR: Final = 3600.0
_ZONES: Final = ("TIC101", "TIC102", "TIC103")


def sinter_programme(unit: str = "SIN.FUR101") -> StepSequence:
    """Its signals are those of ``reference/signals.csv`` and of three loops ``TIC101`` to ``TIC103`` of ``unit``."""
    heat = {f"{unit}.HS101": 1.0, f"{unit}.XV101": 1.0} | {f"{unit}.{zone}.MODE": 1.0 for zone in _ZONES}
    cold = _cold(unit)

    def ramp(target: float, per_minute: float) -> tuple[Ramp, ...]:
        return tuple(Ramp(f"{unit}.{zone}.SP", target, per_minute) for zone in _ZONES)

    def heating(name: str, number: int, target: float, rate: float, then: Transition, hours: float) -> Step:
        return Step(name, number, (then,), hours * _HOUR, heat, ramp(target, rate), holding=Reaction(heat))

    def load_above(to: str, low: float, for_s: float = 0.0) -> Transition:
        return Transition(to, when(f"{unit}.TT104 > {low}"), for_s)

    steps = (
        Step("PUMP", 1, (Transition("LEAK_TEST", when(f"{unit}.PT101 < -1")),), 2 * _HOUR, {f"{unit}.XV101": 1.0, **cold}),
        Step(
            "LEAK_TEST",
            2,
            (Transition("RAMP_350", when(f"{unit}.PT101 < 0.5"), after_s=300.0),),
            330.0,
            {f"{unit}.XV101": 0.0, **cold},
            resume="PUMP",
        ),
        heating("RAMP_350", 3, 350.0, 5.0, load_above("DEGAS", 340.0), 4.0),
        heating("DEGAS", 4, 350.0, 5.0, load_above("RAMP_600", 335.0, _HOUR), 3.0),
        heating("RAMP_600", 5, 600.0, 5.0, load_above("DEHYDRIDE", 590.0), 4.0),
        heating("DEHYDRIDE", 6, 600.0, 5.0, Transition("SOAK_850", when(f"{unit}.TT104 > 585", f"{unit}.PT101 < 0"), 600.0), 6.0),
        heating("SOAK_850", 7, 850.0, 5.0, load_above("RAMP_1065", 840.0, _HOUR), 5.0),
        heating("RAMP_1065", 8, 1065.0, 3.0, load_above("SINTER", 1058.0), 6.0),
        heating("SINTER", 9, 1065.0, 3.0, load_above("BACKFILL", 1055.0, 4 * _HOUR), 6.0),
        Step(
            "BACKFILL",
            10,
            (Transition("QUENCH", when(f"{unit}.PT102 > 190")),),
            600.0,
            {f"{unit}.XV101": 0.0, f"{unit}.PIC102.SP": 200.0, **cold},
            on_timeout=SequenceCommand.STOP,
        ),
        Step(
            "QUENCH",
            11,
            (Transition("UNLOAD", when(f"{unit}.TT104 < 80")),),
            8 * _HOUR,
            {f"{unit}.XV101": 0.0, f"{unit}.PIC102.SP": 200.0, f"{unit}.HS102": 1.0, **cold},
        ),
        Step(
            "UNLOAD",
            12,
            (Transition(COMPLETE, when(f"{unit}.ZSC101 = 0")),),
            24 * _HOUR,
            {f"{unit}.XV101": 0.0, f"{unit}.PIC102.SP": 0.0, f"{unit}.HS102": 0.0, **cold},
        ),
    )
    rest = {f"{unit}.PIC102.SP": 0.0, f"{unit}.HS102": 0.0, **cold}
    is_cold = when(f"{unit}.HS101 = 0", *(f"{unit}.{zone}.OP = 0" for zone in _ZONES))
    return StepSequence(
        f"{unit}.KY101",
        steps,
        stopping=Reaction(rest, until=is_cold),
        aborting=Reaction({**rest, f"{unit}.XV101": 0.0}, until=is_cold, timeout_s=10.0),
        start_when=when(f"{unit}.ZSC101 = 1"),
    )


def _cold(unit: str) -> Mapping[str, float]:
    """Contactor open, loops in manual at 0, set-points where a ramp begins."""
    zones = {f"{unit}.{zone}.{part}": value for zone in _ZONES for part, value in (("MODE", 0.0), ("OP", 0.0), ("SP", 20.0))}
    return {f"{unit}.HS101": 0.0, **zones}
