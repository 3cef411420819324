"""OPC UA: one subscription a server, with its qualities and source times; writes of the exact type, with read-back."""

from drivers.opcua.session import OpcuaDriver

__all__ = ["OpcuaDriver"]
