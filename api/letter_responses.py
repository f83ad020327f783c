"""Bodies of ``/data/dead-letters``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator

from api.responses import example, example_of
from schemas.reasons import Reason

LETTER: Final = r"^[0-9]{1,9}@[0-9]{1,18}$"
Place: TypeAlias = Annotated[str, Field(pattern=LETTER)]


class DeadLetter(BaseModel):
    """A record that was refused."""

    model_config = example(
        {
            "letter": "2@1047",
            "topic": "attribution.conversions",
            "partition": 1,
            "offset": 88213,
            "reason": "bad_amount",
            "field": "value",
            "detail": "'ten' is no amount such as 12.50 within int64 micros",
            "stage": "decode",
            "failed_at": "2026-11-24T09:58:12.400000Z",
            "attempts": 1,
            "retry_of": None,
            "retried": False,
        }
    )

    letter: str = Field(description="PARTITION@OFFSET in the dead-letter topic.")
    topic: str = Field(description="Where the record was meant to go.")
    partition: int | None = Field(description="Where it was read; null: a message of the collector, in no topic.")
    offset: int | None
    reason: str
    field: str
    detail: str | None = Field(description="May quote what was sent; null without the scope `customers`.")
    stage: str = Field(description="decode, apply, or collect.")
    failed_at: datetime | None
    attempts: int = Field(description="How often it was refused.")
    retry_of: str | None = Field(description="topic/partition/offset of the first record.")
    retried: bool | None = Field(description="Whether it was sent again; null where one letter is shown.")


class DeadLetterPage(BaseModel):
    """Letters, the newest first."""

    model_config = example(
        {"letters": [example_of(DeadLetter)], "matching": 1, "looked_at": 12, "is_whole": True, "next_cursor": None}
    )

    letters: list[DeadLetter]
    matching: int = Field(description="Letters that match, on all pages.")
    looked_at: int
    is_whole: bool = Field(description="False: older letters were not looked at; `attribution dlq list` does.")
    next_cursor: str | None


class HeaderOut(BaseModel):
    """A header of the letter."""

    model_config = example({"name": "dlq.reason", "value": "bad_amount", "encoding": "text"})

    name: str
    value: str | None
    encoding: Literal["text", "hex"]


class DeadLetterShown(DeadLetter):
    """A letter whole."""

    model_config = example(
        {
            **example_of(DeadLetter),
            "retried": None,
            "key": "c-43",
            "key_encoding": "text",
            "value": '{"event_id": "o-2", "customer_id": "c-43", "value": "ten"}',
            "value_encoding": "text",
            "headers": [example_of(HeaderOut)],
        }
    )

    key: str | None
    key_encoding: Literal["text", "hex"]
    value: str | None
    value_encoding: Literal["text", "hex"]
    headers: list[HeaderOut]


class RetryIn(BaseModel):
    """Which letters to send again: by place, or all of a reason."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"letters": ["2@1047"]},
            "oneOf": [
                {"required": ["letters"], "properties": {"reason": {"type": "null"}}},
                {"required": ["reason"], "properties": {"letters": {"type": "null"}, "value": {"type": "null"}}},
            ],
        },
    )

    letters: Annotated[list[Place] | None, Field(min_length=1, max_length=100)] = None
    reason: Reason | None = None
    value: Annotated[
        str | None,
        Field(max_length=150_000, description="With one letter: a JSON object to send in the place of what was sent."),
    ] = None
    again: StrictBool = Field(default=False, description="Also letters that were sent again before.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.letters is None) == (self.reason is None):
            raise ValueError("give letters, or reason")
        if self.value is not None and len(self.letters or ()) != 1:
            raise ValueError("value is for one letter: give one in letters")
        return self


class SentAgain(BaseModel):
    """Letters of one topic."""

    model_config = example({"topic": "attribution.conversions", "count": 1})

    topic: str
    count: int


class RetryOut(BaseModel):
    """What was sent again. The workers read it like any record; what is refused again is a new letter."""

    model_config = example({"sent": [example_of(SentAgain)], "total": 1, "already_sent": 0, "missing": []})

    sent: list[SentAgain]
    total: int
    already_sent: int = Field(description="Passed over, since they were sent again before; `again` sends them.")
    missing: list[str] = Field(description="Places where no letter is.")
