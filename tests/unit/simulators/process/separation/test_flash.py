"""Equilibrium of one stage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from simulators.process.separation import SEPARATION_FACTORS, Chemistry, Ion
from simulators.process.separation.flash import TOLERANCE, flash
from simulators.process.separation.ions import Array

RESIN = 10.0
LIGAND = SEPARATION_FACTORS[Chemistry.LIGAND][:, None]


def amounts(total: float) -> st.SearchStrategy[Array]:
    parts = arrays(np.float64, (len(Ion), 5), elements=st.one_of(st.just(0.0), st.floats(1e-12, 1.0)))
    return parts.filter(lambda drawn: bool((drawn.sum(axis=0) > 0.0).all())).map(lambda drawn: total * drawn / drawn.sum(axis=0))


@settings(max_examples=30, deadline=None)
@given(amounts(RESIN), amounts(1.0), st.floats(0.0, 5.0), arrays(np.float64, 5, elements=st.floats(0.004, 100.0)), st.sampled_from(Chemistry))
def test_amounts_are_kept_and_factors_hold(resin: Array, solution: Array, strength: float, guess: Array, chemistry: Chemistry) -> None:
    solution = solution * strength
    factors = SEPARATION_FACTORS[chemistry][:, None]
    fractions, dissolved, _ = flash(resin + solution, solution.sum(axis=0), RESIN, factors, guess)
    np.testing.assert_allclose(RESIN * fractions + dissolved, resin + solution, rtol=1e-13, atol=1e-13)
    assert fractions.min() >= 0.0
    assert dissolved.min() >= 0.0
    np.testing.assert_allclose(fractions.sum(axis=0), 1.0, atol=1e-8)
    shares = dissolved / np.maximum(dissolved.sum(axis=0), 1e-300)
    expected = factors * fractions / (factors * fractions).sum(axis=0)
    if strength > 1e-3:
        np.testing.assert_allclose(shares, expected, atol=1e-6)


def test_two_ions_part_by_their_factor() -> None:
    total = np.zeros((len(Ion), 1))
    total[Ion.ND], total[Ion.PR] = 6.0, 5.0
    fractions, dissolved, _ = flash(total, np.array([1.0]), RESIN, LIGAND, np.ones(1))
    ratio = (dissolved[Ion.ND, 0] / dissolved[Ion.PR, 0]) / (fractions[Ion.ND, 0] / fractions[Ion.PR, 0])
    assert ratio == pytest.approx(10**0.21)
    assert fractions.sum() == pytest.approx(1.0, abs=TOLERANCE)


def test_each_stage_has_its_own_chemistry() -> None:
    total = np.repeat(np.array([[1.0, 2.0, 1.0, 1.0, 3.0, 2.0, 1.0]]).T, 2, axis=1)
    together, _, _ = flash(total, np.array([1.0, 1.0]), RESIN, SEPARATION_FACTORS.T, np.ones(2))
    for chemistry in Chemistry:
        alone, _, _ = flash(total[:, :1], np.array([1.0]), RESIN, SEPARATION_FACTORS[chemistry][:, None], np.ones(1))
        np.testing.assert_allclose(together[:, chemistry], alone[:, 0], atol=1e-9)


def test_a_stage_of_water_keeps_its_resin() -> None:
    total = np.full((len(Ion), 1), RESIN / len(Ion))
    fractions, dissolved, _ = flash(total, np.zeros(1), RESIN, LIGAND, np.ones(1))
    np.testing.assert_allclose(fractions, 1.0 / len(Ion))
    assert not dissolved.any()


def test_a_stage_that_holds_less_than_its_resin_is_refused() -> None:
    total = np.full((len(Ion), 2), (RESIN + 1.0) / len(Ion))
    total[:, 1] *= 0.5
    with pytest.raises(ArithmeticError, match="stage 1 finds no equilibrium"):
        flash(total, np.ones(2), RESIN, LIGAND, np.ones(2))
