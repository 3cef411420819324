"""The control process: a set-point's way from a person to the gateway."""

from services.control.control import Control

__all__ = ["Control"]
