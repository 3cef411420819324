"""A centrifugal pump that drives a column: head curve, suction head, cavitation, and what a drive, a motor and a vibration sensor show of them.

Flow is where the pump's head meets suction, bed and outlet: ``rho g (H0 (n/n0)^2 - k F^2) + p_suction = p_outlet + R F`` (affinity law; the bed is laminar).
Net positive suction head available is ``(p_suction + p_atm - p_vapour) / (rho g)``, with gauge suction pressure; below what the pump requires it cavitates
(ISO 17769-1 has the words). A dead time or inertia of the liquid is left out: the drive's ramp is the slowest part.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np

from simulators.process.separation.bounds import STEP, Within, check_parameters

_BAR_PER_METRE: Final = 1000.0 * 9.80665 / 1e5
_ATMOSPHERE: Final = 1.013
_SPEED: Final = Within(0.0, 3600.0, "rpm")
_PRESSURE: Final = Within(-1.013, 16.0, "bar")
_RESISTANCE: Final = Within(0.0, 1e6, "bar h/m3")
_TEMPERATURE: Final = Within(0.0, 100.0, "degC")


@dataclass(frozen=True, slots=True)
class PumpParameters:
    """A single-stage pump on a drive. Engineering values: 9.12 m3/h against 5.1 bar at 2100 rpm, with 0.6 bar at its suction."""

    head: Annotated[float, Within(1.0, 500.0, "m")] = 100.0
    """Shut off, at the nominal speed, m."""
    nominal_speed: Annotated[float, Within(100.0, 3600.0, "rpm")] = 2900.0
    friction: Annotated[float, Within(1e-6, 10.0, "m/(m3/h)2")] = 0.08
    """Head lost per flow squared, m / (m3/h)2."""
    required: Annotated[float, Within(0.1, 20.0, "m")] = 2.5
    """Net positive suction head required, m."""
    onset: Annotated[float, Within(0.01, 10.0, "m")] = 1.0
    """Head missing at which the pump cavitates fully, m."""
    ramp: Annotated[float, Within(1.0, 10_000.0, "rpm/s")] = 300.0
    """Fastest change of speed by the drive."""
    current: Annotated[float, Within(0.1, 500.0, "A")] = 18.0
    """Of the motor at duty, A."""
    duty: Annotated[float, Within(0.1, 200.0, "m3/h")] = 9.12
    duty_speed: Annotated[float, Within(100.0, 3600.0, "rpm")] = 2100.0
    flow_noise: Annotated[float, Within(0.0, 0.5, "")] = 0.002
    """Relative standard deviation of the flow; eight times as much in full cavitation."""

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)


@dataclass(frozen=True, slots=True)
class PumpReading:
    """What the instruments of a pump are about to show."""

    flow: float
    """m3/h."""
    discharge: float
    """bar gauge."""
    current: float
    """A."""
    vibration: float
    """mm/s RMS."""
    suction_head: float
    """Net positive suction head available, m."""
    cavitation: float
    """0 none, 1 full."""


def vapour_pressure(temperature: float) -> float:
    """bar of water at ``temperature`` degC (Magnus formula, as WMO-No. 8 has it). Raises ValueError."""
    _TEMPERATURE.check("vapour pressure", "temperature", temperature)
    return 6.112e-3 * math.exp(17.62 * temperature / (243.12 + temperature))


class Pump:
    """State of one pump: its ``speed``, rpm. ``rng`` alone decides the noise."""

    def __init__(self, rng: np.random.Generator, parameters: PumpParameters | None = None, name: str = "pump") -> None:
        self.name = name
        self.parameters = PumpParameters() if parameters is None else parameters
        self.speed = 0.0
        self._rng = rng

    def step(self, dt: float, demand: float, suction: float, outlet: float, resistance: float, temperature: float = 25.0) -> PumpReading:
        """``dt`` seconds at a ``demand`` of rpm (0 is stop), between ``suction`` and ``outlet`` bar gauge, through ``resistance`` bar per m3/h.

        Raises:
            ValueError: an argument outside its range. A shut valve is a resistance of 1e6, not infinity.
        """
        parameters = self.parameters
        for quantity, value, bounds in (
            ("dt", dt, STEP),
            ("speed demand", demand, _SPEED),
            ("suction pressure", suction, _PRESSURE),
            ("outlet pressure", outlet, _PRESSURE),
            ("resistance", resistance, _RESISTANCE),
        ):
            bounds.check(self.name, quantity, value)
        change = parameters.ramp * dt
        self.speed += min(max(demand - self.speed, -change), change)
        available = (suction + _ATMOSPHERE - vapour_pressure(temperature)) / _BAR_PER_METRE
        missing = (parameters.required - available) / parameters.onset
        cavitation = min(max(missing, 0.0), 1.0) if self.speed > 0.0 else 0.0
        # half of the head is lost in vapour
        lift = _BAR_PER_METRE * parameters.head * (self.speed / parameters.nominal_speed) ** 2 * (1.0 - 0.5 * cavitation)
        true_flow = _meeting_point(lift + suction - outlet, resistance, _BAR_PER_METRE * parameters.friction)
        noise = parameters.flow_noise * (1.0 + 7.0 * cavitation)
        flow = max(true_flow * (1.0 + noise * self._rng.standard_normal()), 0.0)
        share = self.speed / parameters.duty_speed
        load = share**2 * (0.5 + 0.5 * min(true_flow / parameters.duty, 2.0)) if share > 0.0 else 0.0
        current = parameters.current * load * (1.0 - 0.2 * cavitation) * (1.0 + 0.05 * cavitation * self._rng.standard_normal())
        vibration = 1.8 * share + 6.0 * cavitation
        return PumpReading(flow, outlet + resistance * true_flow if true_flow > 0.0 else lift + suction, current, vibration, available, cavitation)


def _meeting_point(surplus: float, resistance: float, friction: float) -> float:
    """Flow, m3/h, at which friction F^2 + resistance F uses up ``surplus`` bar; 0 where there is none: a check valve keeps it from running back."""
    if surplus <= 0.0:
        return 0.0
    return 2.0 * surplus / (resistance + math.sqrt(resistance**2 + 4.0 * friction * surplus))
