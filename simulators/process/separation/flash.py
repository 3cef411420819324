"""Equilibrium of one mixed stage between resin and solution: the flash of a multicomponent exchange with constant separation factors.

Of one stage: amounts ``z_i`` in all, ``n`` equivalents in solution, ``r`` on the resin, factors ``a_i``. Both phases keep their totals (exchange is one for
one), and y_i / x_i is to y_k / x_k as a_i to a_k (F. Helfferich: Ion Exchange, constant separation factors). With ``y_i = a_i x_i rho``,

    x_i = z_i / (r + n a_i rho)   and   F(rho) = sum_i x_i = 1

has one root, between 1 / max a and 1 / min a. It is sought as the root of 1 / F - 1, which rises and is concave: Newton from below is monotone and cannot
overshoot; of one ion alone it is a straight line and takes one step. The ends catch what a step from above throws too far.
"""

from typing import Final

import numpy as np

from simulators.process.separation.ions import Array

TOLERANCE: Final = 1e-10
"""Of the sum of the resin's fractions."""
_MOST_STEPS: Final = 40


def flash(total: Array, dissolved: Array, resin: float, factors: Array, guess: Array) -> tuple[Array, Array, Array]:
    """Resin fractions (c, n), amounts in solution (c, n) and ``rho`` (n,) of n stages.

    ``total`` (c, n) and ``dissolved`` (n,) are equivalents, ``resin`` the equivalents that a stage's resin holds; ``factors`` (c, n) or (c, 1); ``guess``
    (n,) is the last ``rho`` of these stages. Amounts are exact whatever the iteration left over (solution + resin is ``total`` to rounding, and nothing is
    negative); fractions sum to 1 within ``TOLERANCE``, or within the share that the solution has of a stage where that is less: it has no say there.

    Raises:
        ArithmeticError: no equilibrium was found, which a stage that holds less than ``resin`` brings about.
    """
    slope = factors * dissolved
    low, high = 1.0 / factors.max(axis=0), 1.0 / factors.min(axis=0)
    rho = guess
    for _ in range(_MOST_STEPS):
        share = slope * rho
        share += resin
        np.reciprocal(share, out=share)
        fractions = total * share
        excess = np.add.reduce(fractions, axis=0)
        error = excess - 1.0
        if np.maximum.reduce(np.abs(error)) <= TOLERANCE:
            return fractions, fractions * (slope * rho), rho
        share *= slope
        share *= fractions
        steepness = np.add.reduce(share, axis=0)
        rho = rho + excess * error / np.maximum(steepness, 1e-300)
        np.minimum(np.maximum(rho, low, out=rho), high, out=rho)
    fractions = total / (slope * rho + resin)
    error = fractions.sum(axis=0) - 1.0
    amiss = (np.abs(error) > TOLERANCE) & (np.abs(error) * resin > dissolved)
    if amiss.any():
        worst = int(np.flatnonzero(amiss)[0])
        raise ArithmeticError(f"flash: stage {worst} finds no equilibrium, its fractions sum to {1.0 + error[worst]:g}; its amounts do not fit its capacity")
    return fractions, fractions * (slope * rho), rho
