import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from plant.errors import ConfigurationError
from services.api.secrets_folder import signing_key, write_secret


def test_the_signing_key_is_made_once_and_is_for_its_owner_only(tmp_path: Path) -> None:
    key = signing_key(tmp_path)
    assert signing_key(tmp_path).private_bytes_raw() == key.private_bytes_raw()
    (file,) = (tmp_path / "secrets").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_no_two_data_folders_have_one_key(tmp_path: Path) -> None:
    assert signing_key(tmp_path / "a").private_bytes_raw() != signing_key(tmp_path / "b").private_bytes_raw()


def test_a_file_that_is_no_ed25519_key_is_named_with_the_mend(tmp_path: Path) -> None:
    signing_key(tmp_path)
    (file,) = (tmp_path / "secrets").iterdir()
    rsa = generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for content in (b"", b"nonsense", rsa):
        file.write_bytes(content)
        with pytest.raises(ConfigurationError) as refused:
            signing_key(tmp_path)
        (problem,) = refused.value.problems
        assert problem.file == str(file)
        assert "delete it" in problem.mend


def test_a_secret_that_another_process_wrote_meanwhile_stays(tmp_path: Path) -> None:
    write_secret(tmp_path / "secret", "first")
    write_secret(tmp_path / "secret", "second")
    assert (tmp_path / "secret").read_text() == "first"
    assert [file.name for file in tmp_path.iterdir()] == ["secret"]
