"""Answers of the endpoints that take events."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from api.responses import example, example_of


class RejectedRow(BaseModel):
    """One event that was not taken, and why."""

    model_config = example(
        {
            "index": 3,
            "line": 4,
            "event_id": "o-3",
            "field": "value",
            "value": "ten",
            "reason": "bad_amount",
            "detail": "'ten' is no amount such as 12.50 within int64 micros",
        }
    )

    index: int = Field(description="Position among the events of this request, from 0.")
    line: int = Field(description="Line of the body, or number of the element, from 1.")
    event_id: str | None = None
    field: str = Field(description="Empty where the row as a whole is at fault.")
    value: str | int | float | bool | None = None
    reason: str = Field(description="One of the reasons in docs/wire.md.")
    detail: str = Field(description="What is wrong and what would be right.")


class Ingested(BaseModel):
    """What became of the events; ``accepted`` + ``rejected`` = ``sent``. Accepted ones are durable in Kafka."""

    model_config = example({"sent": 10, "accepted": 9, "rejected": 1, "errors": [example_of(RejectedRow)]})

    sent: int
    accepted: int
    rejected: int
    errors: list[RejectedRow]


class ErasureAccepted(BaseModel):
    """A request to forget a customer, durable in Kafka. The same request again has the same id."""

    model_config = example({"request_id": "erasure:7f0c1d", "policy": "delete", "status": "accepted"})

    request_id: str
    policy: Literal["delete", "anonymize"]
    status: Literal["accepted"] = "accepted"
