"""Column, detector, cuts and valve together: what arrives in the tanks."""

from collections import deque
from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import cache

import numpy as np
import pytest

from simulators.process.separation import (
    OXIDE_MASS,
    Column,
    ColumnParameters,
    CutParameters,
    CutState,
    Detector,
    Ion,
    OutletValve,
    Port,
    PurityMeter,
    ligand,
    next_cut,
    run,
)
from simulators.process.separation.ions import Array
from tests.unit.simulators.process.separation.injections import PRIMARY, VELOCITY, load

DT = 2.0
BED = ColumnParameters(length_m=3.0)
FLOW = VELOCITY * BED.area_m2
CUTS = CutParameters()
LIGAND = ligand(0.09)


@cache
def shortly_before_the_band() -> Column:
    """138 kg on 3 m: half the column, half the load."""
    column = Column(BED)
    load(column, 138.0, PRIMARY)
    run(column, FLOW, LIGAND, 3.2)
    return column


class Station:
    """Steps the outlet of a column. Liquid takes the dead volume from detector to valve."""

    def __init__(self) -> None:
        self.column = deepcopy(shortly_before_the_band())
        self.before = self.column.left.copy()
        self.detector = Detector(np.random.default_rng(3))
        self.valve = OutletValve(Port.RECYCLE)
        self.cuts = CutState()
        self.tanks: Mapping[Port, Array] = {port: np.zeros(len(Ion)) for port in Port}
        self.was_discrepant = False
        self._meter = PurityMeter(samples=round(20.0 / DT))
        self._line: deque[tuple[float, Array]] = deque()
        self._in_line = 0.0

    def go(self, hours: float, each: Callable[["Station"], None] = lambda _: None) -> None:
        for _ in range(round(hours * 3600.0 / DT)):
            each(self)
            effluent = self.column.step(DT, FLOW, LIGAND)
            indication = self._meter.take(self.detector.step(DT, effluent.concentration))
            self.cuts = next_cut(self.cuts, indication, DT, FLOW, CUTS)
            self.valve.step(DT, self.cuts.port)
            self.was_discrepant |= self.valve.is_discrepant
            self._line.append((effluent.volume_l, effluent.amounts))
            self._in_line += effluent.volume_l
            while self._in_line > CUTS.dead_volume_l:
                volume_l, amounts = self._line.popleft()
                self._in_line -= volume_l
                self.tanks[Port(self.valve.port)][:] += amounts

    def oxide(self, port: Port) -> Array:
        """(7,) kg."""
        oxide: Array = self.tanks[port] * OXIDE_MASS / 1000.0
        return oxide

    def purity(self, port: Port, ion: Ion) -> float:
        return float(self.oxide(port)[ion] / self.oxide(port).sum())

    def in_line(self) -> Array:
        """(7,) REE equivalents between detector and valve."""
        amounts: Array = np.array([amounts for _, amounts in self._line]).sum(axis=0)
        return amounts


def test_a_run_fills_its_tanks_with_what_their_labels_say() -> None:
    station = Station()
    station.go(1.7)
    whole = np.array([station.oxide(port) for port in Port]).sum(axis=0)
    for port, ion, recovery in ((Port.NEODYMIUM, Ion.ND, 0.75), (Port.PRASEODYMIUM, Ion.PR, 0.35)):
        assert station.purity(port, ion) > 0.995
        assert recovery < station.oxide(port)[ion] / whole[ion] < 1.0
        assert station.cuts.pools[port].purity == pytest.approx(station.purity(port, ion), abs=0.002), "as indicated"
    assert station.cuts.is_pure(Port.NEODYMIUM, CUTS)
    heavy = station.oxide(Port.HEAVY)
    assert heavy[Ion.DY] + heavy[Ion.TB] > 0.97 * heavy.sum()
    assert station.oxide(Port.RECYCLE).sum() < 0.01 * whole.sum()
    assert station.oxide(Port.DISPLACER).sum() < 0.001 * whole.sum()
    assert station.valve.position == Port.DISPLACER
    assert not station.was_discrepant
    arrived = np.array([station.tanks[port] for port in Port]).sum(axis=0) + station.in_line()
    np.testing.assert_allclose(arrived, station.column.left - station.before, atol=1e-8)


def test_a_dead_lamp_costs_yield_and_no_purity() -> None:
    station = Station()
    taken: list[float] = []

    def dark_for_two_cubic_metres(station: Station) -> None:
        station.detector.is_lit = not 3000.0 < station.cuts.volume_l < 5000.0
        taken.append(float(station.oxide(Port.NEODYMIUM).sum()))

    station.go(0.8, dark_for_two_cubic_metres)
    standing = np.diff(taken) == 0.0
    volumes_l = np.arange(1, len(taken)) * DT * FLOW / 3.6
    assert standing[(volumes_l > 3010.0) & (volumes_l < 5010.0)].all()
    assert not standing[(volumes_l > 2800.0) & (volumes_l < 2990.0)].any()
    assert not standing[(volumes_l > 5300.0) & (volumes_l < 6000.0)].any(), "it is pooled again when the lamp burns"
    assert station.purity(Port.NEODYMIUM, Ion.ND) > 0.995


def test_a_valve_that_sticks_spoils_its_pool_and_says_so() -> None:
    station = Station()

    def stick_in_neodymium(station: Station) -> None:
        station.valve.is_stuck = station.valve.position == Port.NEODYMIUM

    station.go(1.7, stick_in_neodymium)
    assert station.was_discrepant
    assert station.valve.position == Port.NEODYMIUM
    assert station.purity(Port.NEODYMIUM, Ion.ND) < 0.9
    assert station.cuts.pools[Port.NEODYMIUM].purity > 0.995, "the detector sees nothing of it"


def test_a_drifted_baseline_loses_product_to_the_mixed_tank() -> None:
    station = Station()
    station.detector.baseline_au = 0.02
    station.go(1.2)
    assert station.oxide(Port.NEODYMIUM).sum() == 0.0
    assert station.oxide(Port.MIXED)[Ion.ND] > 60.0
