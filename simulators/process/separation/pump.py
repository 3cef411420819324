"""A centrifugal pump that drives a column: head curve, suction head, cavitation, and what a drive, a motor and a vibration sensor show of them.

Flow is where the pump's head meets suction, bed and outlet: ``rho g (H0 (n/n0)^2 - k F^2) + p_suction = p_outlet + R F`` (affinity law; the bed is laminar).
Net positive suction head available is ``(p_suction + p_atm - p_vapour) / (rho g)``, with gauge suction pressure; below what the pump requires it cavitates
(ISO 17769-1 has the words). A dead time or inertia of the liquid is left out: the drive's ramp is the slowest part.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np

from simulators.process.bounds import Within, check_parameters
from simulators.process.time_step import check_step

_BAR_PER_METRE: Final = 1000.0 * 9.80665 / 1e5
_ATMOSPHERE: Final = 1.013
_SPEED: Final = Within(0.0, 3600.0, "rpm")
_PRESSURE: Final = Within(-1.013, 16.0, "bar")
_RESISTANCE: Final = Within(0.0, 1e6, "bar h/m3")
_TEMPERATURE: Final = Within(0.0, 100.0, "degC")


@dataclass(frozen=True, slots=True)
class PumpParameters:
    """A single-stage pump on a drive. Engineering values: 9.12 m3/h against 5.1 bar at 2100 rpm, with 0.6 bar at its suction."""

    head_m: Annotated[float, Within(1.0, 500.0, "m")] = 100.0
    """Shut off, at the nominal speed, m."""
    nominal_rpm: Annotated[float, Within(100.0, 3600.0, "rpm")] = 2900.0
    """Speed of the head curve."""
    friction_m_h2_per_m6: Annotated[float, Within(1e-6, 10.0, "m h2/m6")] = 0.08
    """Head lost per flow squared, m / (m3/h)2."""
    required_m: Annotated[float, Within(0.1, 20.0, "m")] = 2.5
    """Net positive suction head required, m."""
    onset_m: Annotated[float, Within(0.01, 10.0, "m")] = 1.0
    """Head missing at which the pump cavitates fully, m."""
    ramp_rpm_per_s: Annotated[float, Within(1.0, 10_000.0, "rpm/s")] = 300.0
    """Fastest change of speed by the drive."""
    current_a: Annotated[float, Within(0.1, 500.0, "A")] = 18.0
    """Of the motor at duty, A."""
    duty_m3_per_h: Annotated[float, Within(0.1, 200.0, "m3/h")] = 9.12
    """Flow at which the motor takes its current."""
    duty_rpm: Annotated[float, Within(100.0, 3600.0, "rpm")] = 2100.0
    """Speed at that flow."""
    flow_noise: Annotated[float, Within(0.0, 0.5)] = 0.002
    """Relative standard deviation of the flow; eight times as much in full cavitation."""

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)


@dataclass(frozen=True, slots=True)
class PumpReading:
    """What the instruments of a pump are about to show."""

    flow_m3_per_h: float
    """m3/h."""
    discharge_bar: float
    """bar gauge."""
    current_a: float
    """A."""
    vibration_mm_per_s: float
    """mm/s RMS."""
    suction_head_m: float
    """Net positive suction head available, m."""
    cavitation: float
    """0 none, 1 full."""


def vapour_pressure_bar(temperature_c: float) -> float:
    """Of water, bar (Magnus formula, as WMO-No. 8 has it). Raises ValueError."""
    _TEMPERATURE.check("vapour pressure", "temperature_c", temperature_c)
    return 6.112e-3 * math.exp(17.62 * temperature_c / (243.12 + temperature_c))


class Pump:
    """State of one pump: its ``speed_rpm``. ``rng`` alone decides the noise."""

    def __init__(self, rng: np.random.Generator, parameters: PumpParameters | None = None, name: str = "pump") -> None:
        self.name = name
        self.parameters = parameters or PumpParameters()
        self.speed_rpm = 0.0
        self._rng = rng
        self._noise = (0.0, 0.0)
        """Standard normal, of flow and current: what the last step drew."""

    def step(
        self, dt: float, demand_rpm: float, suction_bar: float, outlet_bar: float, resistance_bar_h_per_m3: float, temperature_c: float = 25.0
    ) -> PumpReading:
        """``dt`` seconds at a demanded speed (0 is stop), between the gauge pressures of suction and outlet, through a resistance of bar per m3/h.

        Raises:
            ValueError: an argument outside its range. A shut valve is a resistance of 1e6, not infinity.
        """
        parameters = self.parameters
        check_step(self.name, dt)
        _SPEED.check(self.name, "demand_rpm", demand_rpm)
        _PRESSURE.check(self.name, "suction_bar", suction_bar)
        _PRESSURE.check(self.name, "outlet_bar", outlet_bar)
        _RESISTANCE.check(self.name, "resistance_bar_h_per_m3", resistance_bar_h_per_m3)
        available = (suction_bar + _ATMOSPHERE - vapour_pressure_bar(temperature_c)) / _BAR_PER_METRE
        if dt > 0.0:
            self._noise = (self._rng.standard_normal(), self._rng.standard_normal())
        change = parameters.ramp_rpm_per_s * dt
        self.speed_rpm += min(max(demand_rpm - self.speed_rpm, -change), change)
        missing = (parameters.required_m - available) / parameters.onset_m
        cavitation = min(max(missing, 0.0), 1.0) if self.speed_rpm > 0.0 else 0.0
        # half of the head is lost in vapour
        lift = _BAR_PER_METRE * parameters.head_m * (self.speed_rpm / parameters.nominal_rpm) ** 2 * (1.0 - 0.5 * cavitation)
        true_flow = _meeting_point(lift + suction_bar - outlet_bar, resistance_bar_h_per_m3, _BAR_PER_METRE * parameters.friction_m_h2_per_m6)
        noise = parameters.flow_noise * (1.0 + 7.0 * cavitation)
        flow_m3_per_h = max(true_flow * (1.0 + noise * self._noise[0]), 0.0)
        share = self.speed_rpm / parameters.duty_rpm
        load = share**2 * (0.5 + 0.5 * min(true_flow / parameters.duty_m3_per_h, 2.0)) if share > 0.0 else 0.0
        current_a = parameters.current_a * load * (1.0 - 0.2 * cavitation) * (1.0 + 0.05 * cavitation * self._noise[1])
        vibration_mm_per_s = 1.8 * share + 6.0 * cavitation
        discharge_bar = outlet_bar + resistance_bar_h_per_m3 * true_flow if true_flow > 0.0 else lift + suction_bar
        return PumpReading(flow_m3_per_h, discharge_bar, current_a, vibration_mm_per_s, available, cavitation)


def _meeting_point(surplus: float, resistance: float, friction: float) -> float:
    """Flow, m3/h, at which friction F^2 + resistance F uses up ``surplus`` bar; 0 where there is none: a check valve keeps it from running back."""
    if surplus <= 0.0:
        return 0.0
    return 2.0 * surplus / (resistance + math.sqrt(resistance**2 + 4.0 * friction * surplus))
