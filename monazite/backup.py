"""``monazite backup``"""

import contextlib
from pathlib import Path

from monazite.settings import Settings
from services.store import open_store


def run(settings: Settings, folder: Path) -> None:
    """Copies the store into ``folder``.

    Raises:
        ConfigurationError: the folder is not empty, or the database has its own tool for this.
        StoreUnavailable: the store is away.
    """
    with contextlib.closing(open_store(settings.store_url)) as store:
        store.backup(folder)
