"""Who an OPC UA server is, who the gateway is to it, and what protects what they say."""

from drivers.opcua.security.pki import Pki
from drivers.opcua.security.session_security import SessionProof, SessionSecurity

__all__ = ["Pki", "SessionProof", "SessionSecurity"]
