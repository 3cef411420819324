"""How the gateway stands with each device."""

from fastapi import APIRouter, Request
from pydantic import BaseModel

from plant import times
from plant.link import DeviceStatus
from services.api.auth import CurrentUser
from services.api.state import state_of

router = APIRouter(tags=["devices"])


class DeviceView(BaseModel):
    """``latency`` and ``clock_skew`` (device clock minus ours) are seconds."""

    name: str
    area: str
    protocol: str
    endpoint: str
    state: str
    since: str
    last_error: str | None
    reconnects: int
    latency: float | None
    clock_skew: float | None


class DeviceList(BaseModel):
    items: list[DeviceView]


@router.get("/devices")
async def list_devices(request: Request, user: CurrentUser) -> DeviceList:
    """Link state, last error, latency and clock skew of each device."""
    state = state_of(request)
    return DeviceList(items=[_view(status, state.site.devices[name].area) for name, status in state.hub.devices().items()])


def _view(status: DeviceStatus, area: str) -> DeviceView:
    return DeviceView(
        name=status.device,
        area=area,
        protocol=status.protocol,
        endpoint=status.endpoint,
        state=status.state.value,
        since=times.format_time(status.since),
        last_error=status.last_error,
        reconnects=status.reconnects,
        latency=status.latency,
        clock_skew=status.clock_offset,
    )
