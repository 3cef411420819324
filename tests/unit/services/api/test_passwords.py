import time

import pytest

from services.api.passwords import hash_password, is_password

PASSWORD = "a long enough password"


def test_a_password_belongs_to_its_own_hash_and_no_other_does() -> None:
    stored = hash_password(PASSWORD)
    assert stored.startswith("$argon2id$")
    assert PASSWORD not in stored
    assert is_password(PASSWORD, stored)
    assert not is_password(PASSWORD + " ", stored)
    assert not is_password("", stored)


def test_a_password_hashed_twice_gives_two_hashes() -> None:
    assert hash_password(PASSWORD) != hash_password(PASSWORD)


@pytest.mark.parametrize("stored", ["", "plain text", "$argon2id$", "$2b$12$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui"])
def test_what_is_no_hash_of_ours_belongs_to_no_password(stored: str) -> None:
    assert not is_password("plain text", stored)


@pytest.mark.parametrize("password", ["", "x", "some password"])
def test_no_password_is_that_of_an_unknown_user(password: str) -> None:
    assert not is_password(password, None)


def test_an_unknown_user_costs_the_time_of_a_known_one() -> None:
    """Else the time would tell which names exist. A hash that cannot be checked would be answered a hundred times faster."""
    stored = hash_password(PASSWORD)

    def fastest(stored: str | None) -> float:
        taken = []
        for _ in range(4):
            begun = time.perf_counter()
            is_password("wrong", stored)
            taken.append(time.perf_counter() - begun)
        return min(taken)

    assert fastest(None) > fastest(stored) / 3
