"""The gateway process: field devices on one side, the bus on the other, in both directions."""

from services.gateway.gateway import Gateway

__all__ = ["Gateway"]
