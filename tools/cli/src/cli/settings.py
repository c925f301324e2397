import os
from pathlib import Path

from dotenv import dotenv_values
from pydantic import Field, SecretStr

from common.settings import Settings

TRANQUILITY = "https://esi.evetech.net"


class StackSettings(Settings):
    """The local stack's own settings; everything else goes to its processes as it is."""

    freeport_home: Path = Field(Path(".freeport"), description="Directory that holds everything the stack stores")
    freeport_postgres_port: int = Field(15432, ge=1, le=65535, description="Port of the embedded PostgreSQL")
    freeport_kafka_port: int = Field(19092, ge=1, le=65535, description="Port of the embedded broker")
    freeport_esi_port: int = Field(18080, ge=1, le=65535, description="Port of the simulated ESI")
    api_host: str = Field("127.0.0.1", description="Address that the API listens on")
    api_port: int = Field(8000, ge=1, le=65535, description="Port that the API listens on")
    database_url: SecretStr | None = Field(None, description="A PostgreSQL of yours instead of the embedded one")
    kafka_bootstrap_servers: str | None = Field(None, description="A Kafka of yours instead of the embedded broker")
    esi_base_url: str | None = Field(None, description="An ESI to read instead of the simulated one")
    esi_user_agent: str | None = Field(None, description="Who you are and how CCP reaches you; needed for the real ESI")

    freeport_api_key: SecretStr | None = Field(None, description="Key to show an API that is not the local stack's")

    @property
    def home(self) -> Path:
        return self.freeport_home.expanduser().absolute()

    @property
    def api_url(self) -> str:
        """Where a client on this machine finds the API."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.api_host, self.api_host)  # noqa: S104  # read, not bound
        return f"http://{host}:{self.api_port}"


def inherited_environment() -> dict[str, str]:
    """The environment and `.env` as the stack's processes shall see them, the environment first."""
    from_file = {name: value for name, value in dotenv_values(".env").items() if value is not None}
    return {**from_file, **os.environ}


def place_of(name: str) -> str | None:
    """Where the variable that counts is set, for people; None if it is not set."""
    if name in {each.upper() for each in os.environ}:
        return "the environment"
    if f"{name}_FILE" in os.environ:
        return f"the file that {name}_FILE names"
    return str(Path(".env").absolute()) if name in {each.upper() for each in dotenv_values(".env")} else None
