"""Whether the process lives, whether it is of use, and what it counts."""

import asyncio

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from plant import times
from plant.errors import StoreUnavailable
from services.api.state import state_of

router = APIRouter(tags=["health"])


@router.get("/livez")
async def livez() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@router.get("/readyz")
async def readyz(request: Request) -> JSONResponse:
    """200 when the bus is there, the store answers, and samples can be queried; else 503 with what is missing."""
    state = state_of(request)
    missing = []
    if not state.bus.connected:
        missing.append("the bus is away")
    samples = 0
    try:
        stored, texts = await asyncio.to_thread(state.store.snapshot)
        samples = len(stored) + len(texts)
    except StoreUnavailable as error:
        missing.append(f"the store is away: {error}")
    else:
        if not samples:
            missing.append("no sample is stored yet")
    devices = state.hub.devices()
    body = {
        "status": "waiting" if missing else "ready",
        "missing": missing,
        "store": dict(state.store.features),
        "tags_with_samples": samples,
        "tags": len(state.site.tags),
        "devices_up": sum(status.state.is_up for status in devices.values()),
        "devices": len(devices),
        "samples_heard": state.hub.samples_heard,
        "time": times.format_time(times.now()),
    }
    return JSONResponse(body, 503 if missing else 200)


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Prometheus text format."""
    return Response(generate_latest(request.app.state.registry), media_type=CONTENT_TYPE_LATEST)
