"""Every setting of every process, and the one place that names their environment variables.

A setting comes from, first match: the command line, ``MONAZITE_<NAME>``, the TOML file that ``MONAZITE_CONFIG`` names. Empty variables count as not
set, so that a compose file may pass through what is not there. A password may stand in a file of its own (``…_FILE``): a secret in an environment
can be read by whoever may list processes.
"""

import os
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from plant import ConfigurationError, Problem

PREFIX: Final = "MONAZITE_"
CONFIG_VARIABLE: Final = "MONAZITE_CONFIG"

Port = Annotated[int, Field(ge=0, le=65535)]
Speed = Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)]


class Settings(BaseSettings):
    """Settings of all processes; each reads those it needs. Made by ``load_settings``."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True)

    data: Path = Field(Path("monazite-data"), description="folder that holds all state")
    plant: Path | None = Field(None, description="site folder; without it the reference plant")
    store: SecretStr | None = Field(None, description="sqlite:///FILE or postgresql://…; without it history.sqlite in the data folder")
    store_password_file: Path | None = Field(None, description="file with the password of the PostgreSQL user in MONAZITE_STORE")
    keep_days: int | None = Field(None, ge=1, le=36_500, description="days of samples that the store keeps, in whole months or chunks; without it all of them")
    pki: Path | None = Field(None, description="folder of the gateway's OPC UA certificates; without it pki in the data folder")
    nats_url: str = Field("nats://127.0.0.1:4222", description="where the bus is")
    nats_user: str = Field("monazite", description="user of the bus")
    nats_password: SecretStr = Field(SecretStr(""), description="password of the bus")
    nats_password_file: Path | None = Field(None, description="file with the password of the bus; goes before MONAZITE_NATS_PASSWORD")
    host: str = Field("127.0.0.1", min_length=1, description="address that the API, and the simulated devices, listen on")
    port: Port = Field(8080, description="port of the API; 0 picks a free one")
    metrics_host: str = Field("127.0.0.1", min_length=1, description="address that metrics are served on")
    metrics_port: Port = Field(0, description="port of the metrics of one service; 0 picks a free one")
    device_endpoints: Path | None = Field(None, description="JSON file, device name -> host:port or opc.tcp:// URL: goes before what the site says")
    speed: Speed = Field(1.0, description="speed of the simulated plant, 1 = real time")
    simulator_ports: Literal["site", "free"] = Field("site", description="site: simulated devices listen on the ports the site names; free: on free ones")
    admin_password: SecretStr | None = Field(None, description="password of the user admin at the first start; without it a random one")
    admin_password_file: Path | None = Field(None, description="file with that password; goes before MONAZITE_ADMIN_PASSWORD")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")
    ready_file: Path | None = Field(None, description="file that a service writes when it is ready: JSON with its addresses")
    lifeline_fd: int | None = Field(None, description="set by the supervisor: descriptor of the socket whose end means that the supervisor is gone")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line, environment, TOML file; no ``.env`` of whatever folder the command was started in."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=os.environ.get(CONFIG_VARIABLE) or None)

    @model_validator(mode="after")
    def _password_file_needs_store(self) -> Self:
        if self.store_password_file is not None and (self.store is None or not self.store.get_secret_value().startswith("postgresql://")):
            raise ValueError("MONAZITE_STORE_PASSWORD_FILE needs a postgresql:// URL in MONAZITE_STORE")
        return self

    @property
    def store_url(self) -> str:
        """URL of the store with its password.

        Raises:
            ConfigurationError: the password file cannot be read.
        """
        if self.store is None:
            return f"sqlite:///{(self.data / 'history.sqlite').resolve()}"
        url = self.store.get_secret_value()
        if self.store_password_file is None:
            return url
        parts = urlsplit(url)
        user, _, address = parts.netloc.rpartition("@")
        password = quote(_secret_in(self.store_password_file, "MONAZITE_STORE_PASSWORD_FILE"), safe="")
        return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}:{password}@{address}"))

    @property
    def pki_folder(self) -> Path:
        return (self.data / "pki" if self.pki is None else self.pki).absolute()

    def password_of_bus(self) -> str:
        """Raises ``ConfigurationError`` when the password file cannot be read."""
        if self.nats_password_file is not None:
            return _secret_in(self.nats_password_file, "MONAZITE_NATS_PASSWORD_FILE")
        return self.nats_password.get_secret_value()

    def password_of_admin(self) -> str | None:
        """``None``: a random one is to be made. Raises ``ConfigurationError`` when the password file cannot be read."""
        if self.admin_password_file is not None:
            return _secret_in(self.admin_password_file, "MONAZITE_ADMIN_PASSWORD_FILE")
        return None if self.admin_password is None else self.admin_password.get_secret_value()


def environment_variables() -> dict[str, str]:
    """Every environment variable that a process of ours reads, with its meaning."""
    variables = {CONFIG_VARIABLE: "TOML file with the settings below, in lower case and without the prefix"}
    return variables | {variable_of(name): field.description or "" for name, field in Settings.model_fields.items()}


def variable_of(setting: str) -> str:
    """``MONAZITE_METRICS_PORT`` of ``metrics_port``."""
    return PREFIX + setting.upper()


def load_settings(**command_line: object) -> Settings:
    """``command_line``: settings by name; ``None`` means not given.

    Raises:
        ConfigurationError: a setting or the TOML file cannot be used, one problem for each.
    """
    file = os.environ.get(CONFIG_VARIABLE)
    if file and not Path(file).is_file():
        raise ConfigurationError([Problem(CONFIG_VARIABLE, None, None, f"{file} is no file", "name a TOML file or unset the variable")])
    given = {name: value for name, value in command_line.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]  # validated by pydantic, which is what the call is for
    except ValidationError as error:
        problems = []
        for row in error.errors(include_input=False, include_url=False, include_context=False):
            name = str(row["loc"][0]) if row["loc"] else "settings"
            where = f"--{name}" if name in given else variable_of(name) if variable_of(name) in os.environ else file or "settings"
            mend = f"it is: {field.description}" if (field := Settings.model_fields.get(name)) else f"the settings are {', '.join(Settings.model_fields)}"
            problems.append(Problem(where, None, name, row["msg"], mend))
        raise ConfigurationError(problems) from None
    except ValueError as error:
        raise ConfigurationError([Problem(file or "settings", None, None, f"cannot be read: {error}", "write TOML as in docs")]) from None


def _secret_in(file: Path, variable: str) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError([Problem(variable, None, None, f"{file} cannot be read: {error}", "name a readable text file")]) from None
