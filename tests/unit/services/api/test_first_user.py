import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.api import ensure_admin
from services.api.passwords import is_password
from services.store import Account, Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path}/history.sqlite")
    opened.prepare([])
    yield opened
    opened.close()


def account(store: Store) -> Account:
    found = store.account("admin")
    assert found is not None
    return found


def test_the_first_user_has_the_password_that_was_given_and_it_is_written_nowhere(store: Store, tmp_path: Path) -> None:
    assert ensure_admin(store, tmp_path, "a long enough password") is None
    assert is_password("a long enough password", account(store).password_hash)
    assert account(store).role == "admin"
    assert not (tmp_path / "initial-admin-password").exists()


@pytest.mark.parametrize("given", [None, ""])
def test_without_a_password_a_random_one_is_made_and_kept_for_the_owner(store: Store, tmp_path: Path, given: str | None) -> None:
    made = ensure_admin(store, tmp_path, given)
    assert made is not None
    assert len(made) >= 20
    assert is_password(made, account(store).password_hash)
    file = tmp_path / "initial-admin-password"
    assert file.read_text().strip() == made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_password_that_was_left_by_a_database_that_is_gone_is_replaced(store: Store, tmp_path: Path) -> None:
    (tmp_path / "initial-admin-password").write_text("of another database\n")
    made = ensure_admin(store, tmp_path, None)
    assert (tmp_path / "initial-admin-password").read_text() == f"{made}\n"


def test_a_user_who_is_there_is_left_alone(store: Store, tmp_path: Path) -> None:
    ensure_admin(store, tmp_path, "a long enough password")
    before = account(store)
    assert ensure_admin(store, tmp_path, "another password") is None
    assert ensure_admin(store, tmp_path, None) is None
    assert account(store) == before
    assert not (tmp_path / "initial-admin-password").exists()
