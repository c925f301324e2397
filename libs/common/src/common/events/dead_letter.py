from typing import Annotated, ClassVar
from uuid import UUID

from msgspec import Meta

from common.events.base import Event, Topic


class DeadLetter(Event, frozen=True, kw_only=True):
    """A message that no consumer could handle was set aside, byte for byte, in the table `dead_letters`."""

    topic: ClassVar = Topic.DEAD_LETTERS
    type: ClassVar = "freeport.dead_letter.v1"

    dead_letter_id: UUID
    consumer: str
    source_topic: str
    source_partition: int
    source_offset: int
    source_key: Annotated[str | None, Meta(description="The original key, undecodable bytes replaced")]
    reason: str
    size: Annotated[int, Meta(description="Bytes of the original value")]
    value: Annotated[bytes | None, Meta(description="The original value in base64; absent above 256 KiB")]

    @property
    def key(self) -> str:
        return self.source_key or str(self.dead_letter_id)
