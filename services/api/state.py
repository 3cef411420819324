"""What the routes share: made once, when the app is."""

import asyncio
from dataclasses import dataclass

from fastapi import Request

from plant.site import Site
from plant.tag import Tag
from services.api.config import ApiConfig
from services.api.live_hub import LiveHub
from services.api.problems import ApiProblem
from services.api.removals import Removals
from services.bus import Bus
from services.retrieval import History, Processed, Records
from services.store import Store


@dataclass(frozen=True, slots=True)
class ApiState:
    config: ApiConfig
    site: Site
    store: Store
    history: History
    processed: Processed
    records: Records
    bus: Bus
    hub: LiveHub
    removals: Removals
    exports: asyncio.Semaphore


def state_of(request: Request) -> ApiState:
    state: ApiState = request.app.state.monazite
    return state


def tag_named(state: ApiState, name: str) -> Tag:
    """Raises ``ApiProblem`` 404."""
    tag = state.site.by_name.get(name)
    if tag is None:
        raise ApiProblem(404, f"there is no tag {name[:100]!r}; GET /api/v1/tags?q=… finds tags")
    return tag


def tags_wanted(state: ApiState, names: list[str], prefix: str | None) -> list[Tag]:
    """Tags by name, by prefix, or all. Raises ``ApiProblem`` 404 for a name that is none."""
    if names:
        return [tag_named(state, name) for name in dict.fromkeys(names)]
    return [tag for tag in state.site.tags if prefix is None or tag.name.startswith(prefix)]
