"""OPC UA: what a server sends or has, with its qualities and times; writes of the exact type, with read-back; secured, and gone on with after a loss."""

from drivers.opcua.browser import Browser, Variable
from drivers.opcua.connection import Connection
from drivers.opcua.path_pattern import PathPatterns
from drivers.opcua.security import Pki
from drivers.opcua.session import OpcuaDriver

__all__ = ["Browser", "Connection", "OpcuaDriver", "PathPatterns", "Pki", "Variable"]
