import re
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from common.settings import DatabaseSettings, KafkaSettings, LogSettings, RetentionSettings

LIVE_HOST = "esi.evetech.net"
_CONTACT = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+|https?://|discord:|eve:", re.IGNORECASE)


class IngestorSettings(DatabaseSettings, KafkaSettings, LogSettings, RetentionSettings):
    """What the ingestor has to know."""

    esi_base_url: str = Field(description="The upstream: https://esi.evetech.net, or a simulator's address")
    esi_timeout: float = Field(30.0, gt=0, le=120, description="Seconds one upstream request may take")
    esi_user_agent: str = Field(
        "Freeport/0.1", min_length=1, description="Who asks; CCP wants a contact in it: an e-mail address or a URL"
    )
    esi_concurrency: int = Field(20, ge=1, le=200, description="Upstream requests under way at once")

    @field_validator("esi_base_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an http or https address")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _tells_ccp_who_asks(self) -> "IngestorSettings":
        if urlsplit(self.esi_base_url).hostname == LIVE_HOST and not _CONTACT.search(self.esi_user_agent):
            raise ValueError(
                "ESI_USER_AGENT must carry a contact (an e-mail address or a URL) to use the real ESI, "
                'for example "my-market/1.0 (me@example.com)"'
            )
        return self
