"""Physical constants and molar masses of the process models. CODATA 2018; molar masses of IUPAC, 2021."""

from typing import Final

GAS_CONSTANT: Final = 8.314462618
"""J/(mol K)."""
FARADAY: Final = 96485.33212
"""C/mol."""
STEFAN_BOLTZMANN: Final = 5.670374419e-8
"""W/(m2 K4)."""
MU0: Final = 1.25663706212e-6
"""V s/(A m)."""
CELSIUS: Final = 273.15
"""K at 0 degC."""
ATMOSPHERE_PA: Final = 101325.0
MOL_PER_NM3: Final = 1.0 / 22.414e-3
"""mol of ideal gas in a cubic metre at 0 degC and 101 325 Pa."""
AIR_OXYGEN: Final = 0.2095
"""Mole fraction of oxygen in dry air."""

HYDROGEN_KG_PER_MOL: Final = 2.016e-3
OXYGEN_KG_PER_MOL: Final = 31.998e-3
WATER_KG_PER_MOL: Final = 18.015e-3
CARBON_KG_PER_MOL: Final = 12.011e-3
CO_KG_PER_MOL: Final = 28.010e-3
CO2_KG_PER_MOL: Final = 44.009e-3
"""kg/mol of H2, O2, H2O, C, CO, CO2."""
