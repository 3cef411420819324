from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from services.api import ensure_admin
from services.api.auth import Authentication
from services.api.problems import ApiProblem
from services.store import Store, open_store

PASSWORD = "a long enough password"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path}/history.sqlite")
    opened.prepare([])
    ensure_admin(opened, tmp_path, PASSWORD)
    yield opened
    opened.close()


async def test_a_token_names_its_user_and_is_known_after_a_restart(store: Store, tmp_path: Path) -> None:
    token = await Authentication(store, tmp_path, 600, CollectorRegistry()).log_in("admin", PASSWORD, "::1")
    user = Authentication(store, tmp_path, 600, CollectorRegistry()).user_of(token)
    assert (user.name, user.role) == ("admin", "admin")
    assert 500 < user.seconds_left() <= 600


async def test_a_token_of_another_data_folder_is_not_ours(store: Store, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    token = await Authentication(store, tmp_path / "other", 600, CollectorRegistry()).log_in("admin", PASSWORD, "::1")
    with pytest.raises(ApiProblem, match="not one of ours"):
        Authentication(store, tmp_path, 600, CollectorRegistry()).user_of(token)


async def test_a_token_whose_time_is_over_is_refused_and_counted(store: Store, tmp_path: Path) -> None:
    registry = CollectorRegistry()
    authentication = Authentication(store, tmp_path, 0, registry)
    token = await authentication.log_in("admin", PASSWORD, "::1")
    with pytest.raises(ApiProblem, match="log in again") as refused:
        authentication.user_of(token)
    assert refused.value.status == 401
    assert registry.get_sample_value("monazite_auth_failures_total", {"reason": "expired"}) == 1


async def test_who_guesses_from_one_place_keeps_the_user_out_of_no_other(store: Store, tmp_path: Path) -> None:
    authentication = Authentication(store, tmp_path, 600, CollectorRegistry())
    for _ in range(5):
        with pytest.raises(ApiProblem, match="user or password is wrong"):
            await authentication.log_in("admin", "guess", "10.0.0.9")
    with pytest.raises(ApiProblem, match="try again in"):
        await authentication.log_in("admin", PASSWORD, "10.0.0.9")
    assert await authentication.log_in("admin", PASSWORD, "10.0.0.1")
