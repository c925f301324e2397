from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator
from pydantic_core.core_schema import ValidationInfo
from pydantic_settings import NoDecode

from common.settings import DatabaseSettings, KafkaSettings, LogSettings, comma_separated

Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(comma_separated)]


class ApiSettings(DatabaseSettings, KafkaSettings, LogSettings):
    """What the api needs to know."""

    api_host: str = Field("127.0.0.1", min_length=1, description="Address to listen on")
    api_port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes any free one")
    api_database_timeout: float = Field(
        15, gt=0, le=300, description="Seconds that a request may take with the database; then the answer is 503"
    )
    api_cache_megabytes: int = Field(
        32, ge=0, le=4096, description="Memory for answers that were given, while they still hold; 0 keeps none"
    )
    api_rate_limit: float = Field(
        50, ge=0, le=1_000_000, description="Requests a second that one client address may send; 0 for no limit"
    )
    api_rate_burst: int = Field(
        500, ge=1, le=1_000_000, description="Requests that a client address may send at once after a silence"
    )
    api_rate_exempt: Networks = Field(
        (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128")), description="Networks whose requests are not limited"
    )
    api_trusted_proxies: Networks = Field(
        (), description="Networks of the proxies in front, whose X-Forwarded-For says who asks"
    )
    api_exports: int = Field(2, ge=1, le=100, description="Exports that may run at once; further ones are answered 503")
    api_export_timeout: float = Field(3600, gt=0, le=86_400, description="Seconds that an export may take in all")
    api_hooks: Path | None = Field(
        None, description="A folder with middleware/, startup/ or shutdown/ whose hooks join the api's own"
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(comma_separated)] = Field(
        (), description="Web origins that may call the api, as https://host,https://host, or * for all"
    )
    cors_allow_credentials: bool = Field(
        False,  # noqa: FBT003
        description="Whether those origins may send cookies; never together with *",
    )

    @field_validator("api_hooks")
    @classmethod
    def _is_a_folder(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_dir():
            raise ValueError(f"{path} is not a folder")
        return path

    @field_validator("cors_allow_credentials")
    @classmethod
    def _knows_whom_it_trusts(cls, allow: bool, others: ValidationInfo) -> bool:  # noqa: FBT001 - pydantic's signature
        if allow and "*" in others.data.get("cors_origins", ()):
            raise ValueError("cannot be combined with CORS_ORIGINS=*: name the origins")
        return allow
