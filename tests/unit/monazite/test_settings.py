from pathlib import Path

import pytest

from monazite.settings import Settings, environment_variables, load_settings, variable_of
from plant import ConfigurationError


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in environment_variables():
        monkeypatch.delenv(variable, raising=False)


def test_the_command_line_goes_before_the_environment_and_that_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "monazite.toml").write_text('port = 1\nspeed = 2.0\nhost = "::1"\n')
    monkeypatch.setenv("MONAZITE_CONFIG", str(tmp_path / "monazite.toml"))
    monkeypatch.setenv("MONAZITE_SPEED", "3")
    monkeypatch.setenv("MONAZITE_PORT", "4")
    settings = load_settings(port=5, speed=None)
    assert (settings.port, settings.speed, settings.host) == (5, 3.0, "::1")


def test_every_setting_has_a_variable_with_a_meaning() -> None:
    variables = environment_variables()
    assert set(variables) == {"MONAZITE_CONFIG", *map(variable_of, Settings.model_fields)}
    assert all(variables.values())


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("MONAZITE_PORT", "70000", ["MONAZITE_PORT", "65535", "port of the API"]),
        ("MONAZITE_SPEED", "nan", ["MONAZITE_SPEED", "finite"]),
        ("MONAZITE_LOG_LEVEL", "chatty", ["MONAZITE_LOG_LEVEL", "DEBUG"]),
        ("MONAZITE_CONFIG", "/nowhere/monazite.toml", ["MONAZITE_CONFIG", "/nowhere/monazite.toml", "no file"]),
    ],
)
def test_a_wrong_variable_is_named_with_its_mend(variable: str, value: str, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_every_mistake_is_reported_not_only_the_first() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(port=-1, speed=0)
    assert [problem.field for problem in caught.value.problems] == ["port", "speed"]
    assert [problem.file for problem in caught.value.problems] == ["--port", "--speed"]


def test_an_unknown_key_of_the_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "monazite.toml"
    file.write_text("prot = 8080\n")
    monkeypatch.setenv("MONAZITE_CONFIG", str(file))
    with pytest.raises(ConfigurationError, match=rf"{file}: prot:.*the settings are data, plant"):
        load_settings()


def test_a_file_that_is_no_toml_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "monazite.toml"
    file.write_text("port: 8080\n")
    monkeypatch.setenv("MONAZITE_CONFIG", str(file))
    with pytest.raises(ConfigurationError, match=rf"{file}: cannot be read"):
        load_settings()


def test_empty_variables_count_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in environment_variables():
        monkeypatch.setenv(variable, "")
    assert load_settings() == Settings.model_construct()


def test_passwords_from_files(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("p@ss/w:rd\n")
    settings = load_settings(
        store="postgresql://monazite:old@db:5432/plant", store_password_file=secret, nats_password="old", nats_password_file=secret, admin_password_file=secret
    )
    assert settings.store_url == "postgresql://monazite:p%40ss%2Fw%3Ard@db:5432/plant"
    assert settings.password_of_bus() == settings.password_of_admin() == "p@ss/w:rd"


def test_a_password_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match="MONAZITE_NATS_PASSWORD_FILE: /nowhere cannot be read"):
        load_settings(nats_password_file="/nowhere").password_of_bus()


def test_the_default_store_lies_in_the_data_folder(tmp_path: Path) -> None:
    assert load_settings(data=tmp_path).store_url == f"sqlite:///{tmp_path.resolve()}/history.sqlite"


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    settings = load_settings(store="postgresql://u:canary@db/plant", nats_password="canary", admin_password="canary")
    assert "canary" not in repr(settings)
