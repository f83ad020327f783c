"""Answers of the collector. SDKs look at the status alone; the body is for people."""

from __future__ import annotations

from pydantic import BaseModel, Field

from api.responses import example, example_of


class RefusedMessage(BaseModel):
    """One message that is no event. It is kept as a dead letter."""

    model_config = example(
        {
            "index": 3,
            "message_id": "f3a1",
            "field": "value",
            "reason": "bad_amount",
            "detail": "'ten' is no amount such as 12.50 within int64 micros",
        }
    )

    index: int = Field(description="Position among the messages of this request, from 0.")
    message_id: str | None = None
    field: str = Field(description="Empty where the message as a whole is at fault.")
    reason: str = Field(description="One of the reasons in docs/wire.md.")
    detail: str


class Taken(BaseModel):
    """What became of the messages: each counts once. All of it is durable in Kafka, refused ones as dead letters."""

    model_config = example(
        {"success": True, "accepted": 9, "ignored": 1, "rejected": 1, "errors": [example_of(RefusedMessage)]}
    )

    success: bool = Field(default=True, description="As Segment's API answers.")
    accepted: int
    ignored: int = Field(description="Nothing to attribute: groups, traits, events that say nothing of how one came.")
    rejected: int
    errors: list[RefusedMessage]
