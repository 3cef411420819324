"""The first user."""

import secrets
from pathlib import Path

from services.api.passwords import hash_password
from services.api.secrets_folder import write_secret
from services.store import Account, Store

ADMIN = "admin"


def ensure_admin(store: Store, data: Path, password: str | None) -> str | None:
    """Makes the account ``admin`` if there is none, with ``password``, else with a random one.

    Returns the random password, to be shown once; it also stands in ``data/initial-admin-password`` (mode 0600). Blocks for a password hash.

    Raises:
        StoreUnavailable: the store is away.
    """
    if store.account(ADMIN) is not None:
        return None
    made = None if password else secrets.token_urlsafe(18)
    if made is not None:
        file = data / "initial-admin-password"
        file.unlink(missing_ok=True)
        write_secret(file, made + "\n")
    store.save_account(Account(ADMIN, hash_password(password or made or ""), ADMIN))
    return made
