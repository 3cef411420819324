"""Recorded data as live devices: recordings, the site that reads them, and the devices that play them."""

from simulators.replay.recording import Recording
from simulators.replay.replay_device import ReplayDevice
from simulators.replay.replay_site import Protocol, device_name, replay_site

__all__ = ["Protocol", "Recording", "ReplayDevice", "device_name", "replay_site"]
