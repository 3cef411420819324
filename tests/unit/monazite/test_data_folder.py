import os
import subprocess
import sys
from pathlib import Path

import pytest

from monazite.data_folder import DataFolder, FolderLock
from plant import ConfigurationError


def test_secrets_are_made_once_and_are_private(tmp_path: Path) -> None:
    folder = DataFolder.open(tmp_path / "data")
    password = folder.password_of_nats()
    assert len(password) >= 32
    assert DataFolder.open(tmp_path / "data").password_of_nats() == password
    assert folder.nats_password.stat().st_mode & 0o777 == 0o600
    assert folder.nats_password.parent.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"file/data: the data folder cannot be used: Not a directory; .*--data"):
        DataFolder.open(tmp_path / "file" / "data")


def test_a_second_run_is_refused_and_told_who_has_the_folder(tmp_path: Path) -> None:
    folder = DataFolder.open(tmp_path)
    lock = FolderLock.take(folder)
    with pytest.raises(ConfigurationError, match=f"process {os.getpid()} already runs on this data folder"):
        FolderLock.take(folder)
    lock.release()
    FolderLock.take(folder).release()


def test_the_lock_holds_until_the_last_child_is_gone(tmp_path: Path) -> None:
    folder = DataFolder.open(tmp_path)
    lock = FolderLock.take(folder)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[lock.fd]) as child:
        lock.release()
        with pytest.raises(ConfigurationError, match="already runs"):
            FolderLock.take(folder)
        child.communicate(b"\n", timeout=30)
    FolderLock.take(folder).release()


def test_the_services_of_a_process_that_is_gone_are_told_apart(tmp_path: Path) -> None:
    folder = DataFolder.open(tmp_path)
    lock = FolderLock.take(folder)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(30)
    (tmp_path / "lock").write_text(f"{gone.pid}\n")
    assert not FolderLock.holder_lives(folder)
    with pytest.raises(ConfigurationError, match=f"services of process {gone.pid}, which is gone, still run"):
        FolderLock.take(folder)
    lock.release()
