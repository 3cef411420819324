import asyncio
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


async def test_the_right_password_wipes_out_what_was_wrong_before(store: Store, tmp_path: Path) -> None:
    authentication = Authentication(store, tmp_path, 600, CollectorRegistry())
    for _ in range(2):
        for _ in range(4):
            with pytest.raises(ApiProblem, match="user or password is wrong"):
                await authentication.log_in("admin", "mistyped", "10.0.0.9")
        assert await authentication.log_in("admin", PASSWORD, "10.0.0.9")


async def test_every_wrong_password_behind_the_fifth_doubles_the_wait(store: Store, tmp_path: Path) -> None:
    registry = CollectorRegistry()
    authentication = Authentication(store, tmp_path, 600, registry)
    answers = []
    for pause in (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.1, 0.0):
        await asyncio.sleep(pause)
        with pytest.raises(ApiProblem) as refused:
            await authentication.log_in("nobody", "guess", "10.0.0.9")
        answers.append((refused.value.status, (refused.value.headers or {}).get("Retry-After")))
    assert answers == [(401, None)] * 5 + [(429, "1"), (401, None), (429, "2")]
    assert registry.get_sample_value("monazite_auth_failures_total", {"reason": "password"}) == 6
    assert registry.get_sample_value("monazite_auth_failures_total", {"reason": "waiting"}) == 2


async def test_guesses_that_are_made_at_once_are_not_more_than_those_made_in_turn(store: Store, tmp_path: Path) -> None:
    """They stand in line for the checks, two at a time: behind the fifth that was wrong nobody comes to be checked."""
    authentication = Authentication(store, tmp_path, 600, CollectorRegistry())
    answers = await asyncio.gather(*(authentication.log_in("admin", f"guess {n}", "10.0.0.9") for n in range(20)), return_exceptions=True)
    statuses = [answer.status for answer in answers if isinstance(answer, ApiProblem)]
    assert len(statuses) == 20
    assert statuses.count(401) <= 6
