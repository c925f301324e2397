from pydantic import BaseModel, Field, field_validator

from api.schemas.base import Id, Instant, Shown
from common.words import words_of

MOST_WORDS = 12


class TypeQuery(BaseModel):
    """Which types."""

    q: str | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="Whose name has words that begin with these, in any order. A word that begins none is taken for the"
        " nearest that there is",
    )
    group_id: list[Id] = Field([], max_length=100, description="Of any of these groups")
    category_id: list[Id] = Field([], max_length=100, description="Of any of these categories")
    on_offer: bool = Field(
        False,  # noqa: FBT003
        description="true: only those that a live contract offers",
    )
    limit: int = Field(20, ge=1, le=200, description="Types, at most")

    @field_validator("q")
    @classmethod
    def _has_words(cls, q: str | None) -> str | None:
        if q is not None and not words_of(q):
            raise ValueError("has neither a letter nor a digit")
        if q is not None and len(words_of(q)) > MOST_WORDS:
            raise ValueError(f"has more than {MOST_WORDS} words")
        return q


class FoundType(Shown):
    """A type that was looked for."""

    type_id: int
    name: str
    group_id: int
    group_name: str | None
    category_id: int | None
    category_name: str | None
    meta_group_id: int | None
    live: int = Field(description="Live contracts that offer it")
    image: str = Field(description="Its picture at CCP's image server")


class FoundTypes(Shown):
    """Types, the best first: called just so, beginning so, and the rest; of each those that most contracts offer."""

    as_of: Instant | None = Field(description="The oldest reading of a region's list; null: none was read")
    more: bool = Field(description="Whether there are more than `limit`")
    corrected: dict[str, list[str]] = Field(
        description="Words of `q` that are in no name, and the words they were taken for"
    )
    items: list[FoundType]
