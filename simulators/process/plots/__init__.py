"""Plots of the process models for the documentation, as SVG: ``python -m simulators.process.plots docs/plots``."""

from simulators.process.plots.figures import FIGURES
from simulators.process.plots.line_plot import Axis, Curve, LinePlot, Span

__all__ = ["FIGURES", "Axis", "Curve", "LinePlot", "Span"]
