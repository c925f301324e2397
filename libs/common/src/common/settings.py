"""Settings that several services share. A service joins the mixins it needs in its own `settings.py`."""

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from common.errors import FreeportError
from common.rights import SERVICES

S = TypeVar("S", bound=BaseSettings)


class SettingsFileError(FreeportError):
    """A file that should hold a setting cannot be read; the message names the variable."""


class FileSource(PydanticBaseSettingsSource):
    """`NAME_FILE` names a file that holds the value of `NAME`: how containers hand over secrets."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        del field
        path = os.environ.get(f"{field_name.upper()}_FILE")
        if not path:
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").strip(), field_name, False
        except OSError as error:
            raise SettingsFileError(f"{field_name.upper()}_FILE: cannot read {path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise SettingsFileError(f"{field_name.upper()}_FILE: {path} does not hold UTF-8 text") from error

    def __call__(self) -> dict[str, Any]:
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


class Settings(BaseSettings):
    """Read from the environment, then from `NAME_FILE` files, then from `.env`; frozen; made once in `main.py`."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del file_secret_settings
        return init_settings, env_settings, FileSource(settings_cls), dotenv_settings


def comma_separated(value: object) -> object:
    """Lists come as JSON (`[1, 2]`) or as people write them (`1, 2`)."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    return json.loads(text) if text.startswith("[") else [part.strip() for part in text.split(",") if part.strip()]


class LogSettings(Settings):
    """How a process tells what it does."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least severity that is logged")
    log_format: Literal["json", "console"] = Field("json", description="json for machines, console for people")


class DatabaseSettings(Settings):
    """Where the truth is kept."""

    database_url: SecretStr = Field(description="PostgreSQL, as postgresql://user:password@host:5432/name")
    database_password: SecretStr | None = Field(None, description="Replaces the password in DATABASE_URL")
    database_pool_size: int = Field(
        10, ge=1, le=100, description="Connections of a pool; the api has one to read and one to write"
    )

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr) -> SecretStr:
        try:
            parts = urlsplit(value.get_secret_value())
            well_formed = (
                parts.scheme.split("+")[0] in {"postgresql", "postgres"} and parts.hostname and parts.port != 0
            )
        except ValueError:  # its text may hold the password
            well_formed = False
        if not well_formed:
            raise ValueError("must look like postgresql://user:password@host:5432/name")
        return value

    def dsn(self) -> str:
        """The address as asyncpg and psql take it, with the password filled in."""
        parts = urlsplit(self.database_url.get_secret_value())
        netloc = parts.netloc
        if self.database_password is not None:
            user = netloc.rpartition("@")[0].split(":")[0]
            password = quote(self.database_password.get_secret_value(), safe="")
            netloc = f"{user}:{password}@{netloc.rpartition('@')[2]}"
        return urlunsplit(("postgresql", netloc, parts.path, parts.query, ""))

    def sqlalchemy_url(self) -> str:
        """The address as SQLAlchemy takes it, which knows `sslmode` by asyncpg's name for it."""
        parts = urlsplit(self.dsn())
        query = [("ssl" if name == "sslmode" else name, value) for name, value in parse_qsl(parts.query)]
        return urlunsplit(("postgresql+asyncpg", parts.netloc, parts.path, urlencode(query), ""))


class KafkaSettings(Settings):
    """Brokers differ in these values, never in code paths."""

    kafka_bootstrap_servers: str = Field(min_length=1, description="Kafka brokers, as host:port,host:port")
    kafka_session_timeout_ms: int = Field(10_000, ge=1_000, description="Silence after which a consumer is dropped")
    kafka_heartbeat_interval_ms: int = Field(3_000, ge=100, description="How often a consumer says it lives")
    kafka_fetch_max_wait_ms: int = Field(500, ge=10, description="How long a fetch may wait for messages")
    kafka_enable_idempotence: bool = Field(False, description="Idempotent producer: fewer repeats on Apache Kafka")  # noqa: FBT003
    kafka_topic_partitions: int = Field(12, ge=1, le=1000, description="Partitions of each topic, when created")
    kafka_replication_factor: int = Field(1, ge=1, le=10, description="Copies of each partition, when created")


class RetentionSettings(Settings):
    """How long is kept what is over: the ingestor removes by it, and the scheduler folds before that."""

    retention_days: int = Field(
        90, ge=2, le=3650, description="Days that gone contracts are kept; older ones become price statistics"
    )


RegionIds = Annotated[tuple[int, ...], NoDecode]


def _is_printable_ascii(password: SecretStr | None) -> SecretStr | None:
    if password is not None and not re.fullmatch(r"[\x20-\x7e]+", password.get_secret_value()):
        raise ValueError("has to be of printable ASCII")
    return password


RolePassword = Annotated[SecretStr | None, AfterValidator(_is_printable_ascii)]


class ProvisionSettings(DatabaseSettings, KafkaSettings, LogSettings):
    """What it takes to prepare a database and a broker. `DATABASE_URL` names the owner of the tables here."""

    api_database_password: RolePassword = Field(None, description="Password to give to the role freeport_api")
    ingestor_database_password: RolePassword = Field(None, description="Password to give to the role freeport_ingestor")
    scheduler_database_password: RolePassword = Field(
        None, description="Password to give to the role freeport_scheduler"
    )

    def passwords(self) -> dict[str, str]:
        """The services' passwords, of those that have one here."""
        given = {service: getattr(self, f"{service}_database_password") for service in SERVICES}
        return {service: password.get_secret_value() for service, password in given.items() if password is not None}


def read_settings(kind: type[S]) -> S:
    """The settings, or the end of the process with one line for each variable that is missing or wrong."""
    try:
        return kind()
    except (ValidationError, SettingsFileError) as error:
        for fault in _faults(kind, error):
            sys.stderr.write(f"{fault}\n")
        raise SystemExit(2) from None


def faults_of(kind: type[BaseSettings], environment: Mapping[str, str]) -> list[str]:
    """What `read_settings` would say in a process that has this environment, started in this directory."""
    said = {name.lower(): value for name, value in environment.items()}
    given: dict[str, Any] = {name: said[name] for name in kind.model_fields if name in said}
    try:
        kind(**given)
    except (ValidationError, SettingsFileError) as error:
        return list(_faults(kind, error))
    return []


def _faults(kind: type[BaseSettings], error: ValidationError | SettingsFileError) -> Iterator[str]:
    if isinstance(error, SettingsFileError):
        yield str(error)
        return
    for problem in error.errors(include_url=False, include_input=False):
        name = str(problem["loc"][0]).upper() if problem["loc"] else "settings"
        fault = "is not set" if problem["type"] == "missing" else problem["msg"]
        wants = (kind.model_fields[name.lower()].description or "") if name.lower() in kind.model_fields else ""
        yield f"{name}: {fault}. {wants}"
