"""Which tank the effluent goes to. Pure: a state, an indication and a stretch of time give the next state.

| what the detector shows | demanded port |
|---|---|
| fault | ``MIXED``, at once; what is on its way to the valve goes there too |
| no rare earth, before the band | ``RECYCLE`` |
| no rare earth for ``dwell_s``, behind the band | ``unseen`` of the parameters: ``DISPLACER``, or the tank of what the detector cannot see |
| a product above its start purity for ``dwell_s`` | that product |
| a product below its end purity, a pool that falls below its guard, a full tank | ``MIXED`` |

Rules:

- The valve follows a dead volume later, for what the detector sees is still on its way; a stopped flow stops everything.
- The running pool counts from the start purity, which is below the guard, so that every pool begins below it. The guard stands from the moment that the pool
  first reaches it; a pool that falls through it is closed for the rest of the run, and one that never reached it is not ``is_pure``.
- Where there is doubt the answer is ``MIXED``, never a product.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Annotated, Final

from simulators.process.bounds import Within, check_parameters
from simulators.process.separation.ions import Ion
from simulators.process.separation.unmixing import Indication
from simulators.process.time_step import check_step

_PURITY: Final = Within(0.5, 1.0, "kg/kg")
_FLOW: Final = Within(0.0, 200.0, "m3/h")
_LITRES_PER_SECOND: Final = 1000.0 / 3600.0
"""Of one m3/h."""


class Port(IntEnum):
    """Ports of the outlet valve, ``ZC`` and ``ZI``."""

    RECYCLE = 1
    HEAVY = 2
    SAMARIUM = 3
    NEODYMIUM = 4
    MIXED = 5
    PRASEODYMIUM = 6
    DISPLACER = 7


@dataclass(frozen=True, slots=True)
class Product:
    """One fraction and its limits, indicated oxide mass of ``ion`` over that of the rare earths seen."""

    port: Port
    """Where it goes: one of the product tanks."""
    ion: Ion
    """What it is sold as."""
    start: Annotated[float, _PURITY]
    """Above which it begins."""
    end: Annotated[float, Within(0.0, 1.0, "kg/kg")]
    """Below which it ends; no more than ``start``."""

    def __post_init__(self) -> None:
        """Raises ValueError: a limit that is no purity, an end above the start, or a port that is no product tank."""
        check_parameters(self)
        Within(0.0, self.start, "kg/kg").check(f"Product {self.port.name}", "end", self.end)
        if self.port in {Port.RECYCLE, Port.MIXED, Port.DISPLACER}:
            raise ValueError(f"Product: port is {self.port.name}; give HEAVY, SAMARIUM, NEODYMIUM or PRASEODYMIUM")


_PRODUCTS: Final = (
    Product(Port.HEAVY, Ion.DY, 0.95, 0.90),
    Product(Port.SAMARIUM, Ion.SM, 0.90, 0.80),
    Product(Port.NEODYMIUM, Ion.ND, 0.990, 0.985),
    Product(Port.PRASEODYMIUM, Ion.PR, 0.985, 0.980),
)


@dataclass(frozen=True, slots=True)
class CutParameters:
    """Limits of the cuts. Engineering values; starts as the plant's recipe has them, ends below so that noise does not chatter."""

    products: tuple[Product, ...] = _PRODUCTS
    """Fractions that have a tank, in the order of their bands."""
    guards: Mapping[Port, float] = field(default_factory=lambda: {Port.NEODYMIUM: 0.996, Port.PRASEODYMIUM: 0.996})
    """Least purity of a running pool, kg/kg: the release limit 0.995 and 0.001. A port without one has none."""
    dwell_s: Annotated[float, Within(0.0, 600.0, "s")] = 20.0
    """Seconds of flow for which a sign must stand."""
    band: Annotated[float, Within(0.0, 0.5)] = 0.02
    """Share of the highest concentration of the run above which the band is there."""
    least_g_per_l: Annotated[float, Within(0.0, 100.0, "g/L")] = 0.6
    """g/L of oxide that begin a band when they have stood for ``dwell_s``, whatever was highest so far: well above the noise, a twenty-fifth of the plateau."""
    dead_volume_l: Annotated[float, Within(0.0, 5000.0, "L")] = 120.0
    """Between detector and valve, L: 47 s at 9.12 m3/h."""
    unseen: Port = Port.DISPLACER
    """Where effluent without visible rare earths goes once the band has begun. The narrow column gives ``HEAVY``: Tb shows no band."""

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)
        for port, guard in self.guards.items():
            _PURITY.check("CutParameters", f"guard of {port.name}", guard)

    def product_of(self, port: Port) -> Product | None:
        """The product that ``port`` takes."""
        return next((product for product in self.products if product.port is port), None)


@dataclass(frozen=True, slots=True)
class RunningPool:
    """What went into one product so far, as indicated."""

    product_g: float = 0.0
    """g of oxide."""
    whole_g: float = 0.0
    has_reached_guard: bool = False
    is_closed: bool = False

    @property
    def purity(self) -> float:
        return self.product_g / self.whole_g if self.whole_g > 0.0 else 0.0


@dataclass(frozen=True, slots=True)
class CutState:
    """``demand`` is what the detector asks for now, ``port`` what reaches the valve. Amounts are counted where the detector is."""

    port: Port = Port.RECYCLE
    demand: Port = Port.RECYCLE
    candidate: Port = Port.RECYCLE
    candidate_s: float = 0.0
    band_s: float = 0.0
    """For which rare earths have been there without a break."""
    highest_g_per_l: float = 0.0
    """g/L of oxide in the band; 0 before it has begun."""
    volume_l: float = 0.0
    """L since the beginning."""
    on_its_way: tuple[tuple[float, Port], ...] = ()
    """(volume at which it arrives, port), oldest first."""
    pools: Mapping[Port, RunningPool] = field(default_factory=dict)

    def is_pure(self, port: Port, parameters: CutParameters) -> bool:
        """Whether the pool of ``port`` stands at its guard or better; a hint, for a lot is released by its assay."""
        return port in self.pools and self.pools[port].purity >= parameters.guards.get(port, 0.0)


def next_cut(
    state: CutState, indication: Indication, dt: float, flow_m3_per_h: float, parameters: CutParameters, full: frozenset[Port] = frozenset()
) -> CutState:
    """``dt`` seconds of flow that look like ``indication``; ``full`` are the ports whose tanks take no more. Raises ValueError."""
    check_step("fraction cuts", dt)
    _FLOW.check("fraction cuts", "flow_m3_per_h", flow_m3_per_h)
    litres = dt * flow_m3_per_h * _LITRES_PER_SECOND
    if indication.is_faulty and dt > 0.0:
        unsure = replace(state, port=Port.MIXED, demand=Port.MIXED, candidate=Port.MIXED, candidate_s=0.0)
        return replace(unsure, volume_l=state.volume_l + litres, on_its_way=())
    if litres == 0.0:
        return state
    strength = float(indication.oxide_g_per_l.sum())
    is_band = strength > max(parameters.band * state.highest_g_per_l, parameters.least_g_per_l)
    band_s = state.band_s + dt if is_band else 0.0
    highest_g_per_l = max(state.highest_g_per_l, strength) if band_s >= parameters.dwell_s else state.highest_g_per_l
    sign = _sign(state, indication, parameters, is_band)
    seconds = state.candidate_s + dt if sign is state.candidate else dt
    demand = state.demand
    if sign is Port.MIXED or seconds >= parameters.dwell_s:
        demand = sign
    elif not _may_stay(demand, indication, parameters, is_band):
        demand = Port.MIXED
    if demand in full:
        demand = Port.MIXED
    pools, demand = _pooled(state.pools, indication, demand, litres, parameters)
    volume_l = state.volume_l + litres
    waiting = state.on_its_way
    if demand is not state.demand:
        waiting = (*waiting, (volume_l + parameters.dead_volume_l, demand))
    arrived = [port for due, port in waiting if due <= volume_l]
    port = arrived[-1] if arrived else state.port
    return CutState(port, demand, sign, seconds, band_s, highest_g_per_l, volume_l, waiting[len(arrived) :], pools)


def _sign(state: CutState, indication: Indication, parameters: CutParameters, is_band: bool) -> Port:
    """The port that this moment speaks for."""
    if not is_band:
        return parameters.unseen if state.highest_g_per_l > 0.0 else Port.RECYCLE
    purity = indication.purity
    for product in parameters.products:
        limit = product.end if product.port is state.demand else product.start
        if purity[product.ion] >= limit and not (product.port in state.pools and state.pools[product.port].is_closed):
            return product.port
    return Port.MIXED


def _may_stay(demand: Port, indication: Indication, parameters: CutParameters, is_band: bool) -> bool:
    """Whether a port may keep what it gets while the signs for another have not stood for long enough."""
    if demand is Port.MIXED:
        return True
    if not is_band:
        return demand in {Port.RECYCLE, parameters.unseen}
    product = parameters.product_of(demand)
    return product is not None and bool(indication.purity[product.ion] >= product.end)


def _pooled(
    pools: Mapping[Port, RunningPool], indication: Indication, demand: Port, litres: float, parameters: CutParameters
) -> tuple[Mapping[Port, RunningPool], Port]:
    """Adds the moment to the pool that it is meant for, or closes that pool and sends the moment to ``MIXED``."""
    product = parameters.product_of(demand)
    if product is None:
        return pools, demand
    pool = pools.get(demand, RunningPool())
    amount = pool.product_g + float(indication.oxide_g_per_l[product.ion]) * litres
    whole_g = pool.whole_g + float(indication.oxide_g_per_l.sum()) * litres
    is_above = whole_g > 0.0 and amount / whole_g >= parameters.guards.get(demand, 0.0)
    if pool.has_reached_guard and not is_above:
        return {**pools, demand: replace(pool, is_closed=True)}, Port.MIXED
    return {**pools, demand: RunningPool(amount, whole_g, pool.has_reached_guard or is_above)}, demand
