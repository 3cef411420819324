"""Field protocols. A driver yields sample batches and takes writes; it does not know that a bus or a store exists."""

from drivers.backoff import Backoff
from drivers.link import DeviceLink
from drivers.loss_account import LossAccount
from drivers.metrics import DriverMetricFamilies, DriverMetrics
from drivers.session import OpenSession, Session, SilentUnit, WriteAttempt, WriteOutcome, WriteStatus

__all__ = [
    "Backoff",
    "DeviceLink",
    "DriverMetricFamilies",
    "DriverMetrics",
    "LossAccount",
    "OpenSession",
    "Session",
    "SilentUnit",
    "WriteAttempt",
    "WriteOutcome",
    "WriteStatus",
]
