"""OPC UA: one subscription a server, with its qualities and source times; writes of the exact type, with read-back."""

from drivers.opcua.session import open_opcua

__all__ = ["open_opcua"]
