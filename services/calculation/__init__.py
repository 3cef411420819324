"""Calculated tags as pure functions of columns: what the gateway evaluates live and the historian over what is stored."""

from services.calculation.formula import Formula, formulas_of
from services.calculation.held import Held, carried_forward
from services.calculation.recomputation import Recomputed, recomputed

__all__ = ["Formula", "Held", "Recomputed", "carried_forward", "formulas_of", "recomputed"]
