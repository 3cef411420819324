"""Fluidised-bed jet mill with its classifier wheel. Pure.

- median size ``D50 = 3.6 (speed / 3900)^-0.9 (pressure / 6)^-0.6 (feed / 60)^0.25`` um
- hold-up ``dm/dt = feed - m / tau``, ``tau = 22 min (3.6 / D50)^4.66``: a fine cut keeps the powder in the mill. From 2.8 to 2.3 um the output of a given
  hold-up falls by 60 %, as was measured
- oxygen of the powder: that of the feed, and ``k (2.8 / D32)^5`` taken up by its surface, more in a circuit with more oxygen. D32 is the Sauter mean: a
  measured powder went from 1 000 to 2 700 ppm from 2.8 to 2.3 um, which gives k and the power; ``D32 = D50 exp(-s^2 / 2)`` for a log-normal spread s
- gas circuit: ``V dc/dt = ingress of air - make-up (c - c0)``

Rule: what was fed is in the mill, product, or ultrafine. No gas, no milling: the hold-up stays.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Final

from simulators.process.bounds import SHARE, Within, check_parameters
from simulators.process.time_step import substeps

_AIR_OXYGEN_PPM: Final = 209500.0
_LEAST_GAS_BAR: Final = 1.0
_LONGEST_SUBSTEP_S: Final = 10.0
_HOLD_UP: Final = Within(0.0, 1e5, "kg")
_SPEED: Final = Within(0.0, 3e4, "rpm")
_GAS: Final = Within(0.0, 20.0, "bar")
_FEED: Final = Within(0.0, 1e4, "kg/h")
_AIR: Final = Within(0.0, 1e3, "Nm3/h")
_D90_Z: Final = 1.2815515655446004
"""Standard deviations from the median to 90 % of a normal distribution."""


@dataclass(frozen=True, slots=True)
class JetMillParameters:
    """Exponents and sizes assumed unless they say otherwise."""

    normal_um: Annotated[float, Within(0.5, 50.0, "um")] = 3.6
    """um, D50 at the normal speed, pressure and feed."""
    normal_rpm: Annotated[float, Within(100.0, 3e4, "rpm")] = 3900.0
    """rpm of the classifier wheel."""
    normal_bar: Annotated[float, Within(0.5, 20.0, "bar")] = 6.0
    """bar, grinding gas."""
    normal_kg_per_h: Annotated[float, Within(0.1, 1e4, "kg/h")] = 60.0
    """kg/h, feed."""
    exponents: Annotated[tuple[float, float, float], Within(-5.0, 5.0)] = (-0.9, -0.6, 0.25)
    """Of speed, pressure and feed, without unit."""
    hold_up_s: Annotated[float, Within(1.0, 1e5, "s")] = 1320.0
    """s at 3.6 um."""
    hold_up_exponent: Annotated[float, Within(0.0, 20.0)] = math.log(2.5) / math.log(2.8 / 2.3)
    """Without unit: output of a given hold-up 60 % lower at 2.3 than at 2.8 um."""
    ultrafine_share: Annotated[float, SHARE] = 0.015
    """Share of the output that the cyclone loses, without unit."""
    spread: Annotated[float, Within(1.01, 100.0)] = 4.2
    """D90 / D10, without unit."""
    feed_oxygen_ppm: Annotated[float, Within(0.0, 1e5, "ppm")] = 270.0
    """ppm by mass in the alloy that is fed."""
    surface_oxygen_ppm: Annotated[float, Within(0.0, 1e5, "ppm")] = 1700.0 / ((2.8 / 2.3) ** 5 - 1.0)
    """ppm taken up at a D32 of 2.8 um in a circuit of 60 ppm: a rise of 1 700 ppm to 2.3 um."""
    circuit_effect: Annotated[float, SHARE] = 480.0 / 880.0
    """Share of the uptake at 60 ppm that goes with the circuit's oxygen, without unit (process description: 480 of 880 ppm)."""
    normal_circuit_ppm: Annotated[float, Within(0.1, 1e5, "ppm")] = 60.0
    """ppm by volume of oxygen in the circuit."""
    circuit_nm3: Annotated[float, Within(0.1, 1000.0, "Nm3")] = 8.0
    """Nm3 of gas in the circuit."""
    make_up_nm3_per_h: Annotated[float, Within(0.1, 1e4, "Nm3/h")] = 60.0
    """Nm3/h of fresh nitrogen."""
    make_up_oxygen_ppm: Annotated[float, Within(0.0, 1e5, "ppm")] = 5.0
    """ppm by volume in fresh nitrogen."""

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)


class JetMill:
    """``hold_up_kg`` in the mill, ``circuit_oxygen_ppm`` by volume, ``product_kg`` and ``ultrafine_kg`` so far; ``d50_um`` of what comes out now."""

    def __init__(self, parameters: JetMillParameters | None = None, hold_up_kg: float = 0.0, name: str = "jet mill") -> None:
        self.name = name
        self.parameters = parameters or JetMillParameters()
        self.hold_up_kg = _HOLD_UP.check(self.name, "hold_up_kg", hold_up_kg)
        self.circuit_oxygen_ppm = self.parameters.normal_circuit_ppm
        self.product_kg = 0.0
        self.ultrafine_kg = 0.0
        self.fed_kg = 0.0
        self.output_kg_per_h = 0.0
        """kg/h of product, mean of the last step."""
        self.d50_um = self.parameters.normal_um
        self.powder_oxygen_ppm = self.oxygen_ppm(self.d50_um, self.circuit_oxygen_ppm)
        """ppm by mass in the product so far, mixed; of what would come out before the first."""

    def size_um(self, speed_rpm: float, gas_bar: float, feed_kg_per_h: float) -> float:
        """D50, um. Below a tenth of the normal of each, that tenth counts: the power laws know no rest."""
        p = self.parameters
        ratios = (speed_rpm / p.normal_rpm, gas_bar / p.normal_bar, feed_kg_per_h / p.normal_kg_per_h)
        return p.normal_um * math.prod(math.pow(max(ratio, 0.1), exponent) for ratio, exponent in zip(ratios, p.exponents, strict=True))

    def sauter_um(self, d50_um: float) -> float:
        """Sauter mean of a log-normal powder with this median by volume, um."""
        deviation = math.log(self.parameters.spread) / (2.0 * _D90_Z)
        return d50_um * math.exp(-0.5 * deviation * deviation)

    def oxygen_ppm(self, d50_um: float, circuit_ppm: float) -> float:
        """ppm by mass in powder of this median from a circuit with this oxygen."""
        p = self.parameters
        circuit = 1.0 - p.circuit_effect + p.circuit_effect * circuit_ppm / p.normal_circuit_ppm
        return p.feed_oxygen_ppm + p.surface_oxygen_ppm * (2.8 / self.sauter_um(d50_um)) ** 5 * circuit

    def residence_s(self, d50_um: float) -> float:
        """Hold-up over output, s."""
        return self.parameters.hold_up_s * math.pow(self.parameters.normal_um / d50_um, self.parameters.hold_up_exponent)

    def step(self, dt: float, speed_rpm: float, gas_bar: float, feed_kg_per_h: float, air_ingress_nm3_per_h: float = 0.01575) -> None:
        """``air_ingress_nm3_per_h``: air that seals let in, normal if left out (60 ppm). Raises ValueError for an input below 0."""
        count, part = substeps(self.name, dt, _LONGEST_SUBSTEP_S)
        _SPEED.check(self.name, "speed_rpm", speed_rpm)
        _GAS.check(self.name, "gas_bar", gas_bar)
        feed = _FEED.check(self.name, "feed_kg_per_h", feed_kg_per_h) / 3600.0
        air = _AIR.check(self.name, "air_ingress_nm3_per_h", air_ingress_nm3_per_h)
        if not count:
            return
        p = self.parameters
        before = self.product_kg
        self.d50_um = self.size_um(speed_rpm, gas_bar, feed_kg_per_h)
        residence = self.residence_s(self.d50_um) if gas_bar >= _LEAST_GAS_BAR else math.inf
        exchanged = p.make_up_nm3_per_h + air
        resting = (p.make_up_nm3_per_h * p.make_up_oxygen_ppm + air * _AIR_OXYGEN_PPM) / exchanged
        for _ in range(count):
            self.circuit_oxygen_ppm += (resting - self.circuit_oxygen_ppm) * -math.expm1(-part * exchanged / 3600.0 / p.circuit_nm3)
            self._mill(part, feed, residence)
        self.output_kg_per_h = (self.product_kg - before) / dt * 3600.0

    def _mill(self, dt: float, feed: float, residence: float) -> None:
        self.fed_kg += feed * dt
        available = self.hold_up_kg + feed * dt
        if math.isfinite(residence):
            kept = math.exp(-dt / residence)
            self.hold_up_kg = self.hold_up_kg * kept + feed * residence * (1.0 - kept)
        else:
            self.hold_up_kg = available
        out = max(0.0, available - self.hold_up_kg)
        product = out * (1.0 - self.parameters.ultrafine_share)
        self.ultrafine_kg += out - product
        if product > 0.0:
            fresh = self.oxygen_ppm(self.d50_um, self.circuit_oxygen_ppm)
            self.powder_oxygen_ppm += (fresh - self.powder_oxygen_ppm) * product / (self.product_kg + product)
            self.product_kg += product
