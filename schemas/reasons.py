"""Why a record is not an event: a closed set, shared by dead letters, metrics, tables and documentation.

A reason is deterministic: the same bytes get the same reason on every replay. Trouble of the broker, the
registry or the database is never a reason; it is an exception, and the caller retries.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

Reason: TypeAlias = Literal[
    "empty",
    "undecodable",
    "unknown_schema",
    "missing_field",
    "missing_identity",
    "wrong_type",
    "bad_timestamp",
    "implausible_time",
    "bad_amount",
    "negative_value",
    "bad_currency",
    "bad_status",
    "bad_policy",
    "missing_reference",
    "reserved_channel",
    "too_long",
    "key_mismatch",
    "excluded_referrer",
    "too_late",
    "identity_cycle",
    "too_many_ids",
    "too_many_conversions",
    "erased",
]

#: One line for each reason, as the documentation prints it.
REASONS: Final[dict[Reason, str]] = {
    "empty": "The record has no value (null or zero bytes).",
    "undecodable": "Neither a JSON object nor Avro with a schema id, or broken: syntax, UTF-8, trailing bytes.",
    "unknown_schema": "The Avro schema id or GUID is unknown, is no Avro record, or belongs to another kind of event.",
    "missing_field": "A required field is absent, null or blank.",
    "missing_identity": "Neither a customer id nor a vendor's user or device id was sent.",
    "wrong_type": "A field holds another JSON or Avro type than the wire's.",
    "bad_timestamp": "A time is neither ISO-8601 nor an epoch number.",
    "implausible_time": "A time is zero, negative, before 2000-01-01, or over one day after the broker's timestamp.",
    "bad_amount": "An amount is not a decimal number, does not fit int64 micros, or two fields contradict each other.",
    "negative_value": "An amount or a count is below zero; send a refund as status refunded.",
    "bad_currency": "A currency is not three letters.",
    "bad_status": "A status is not completed, refunded or cancelled.",
    "bad_policy": "The policy of an erasure is neither delete nor anonymize.",
    "missing_reference": "A refund or cancellation names neither adjusts nor order_id.",
    "reserved_channel": "The channel is named unattributed, which the results use for conversions without a touch.",
    "too_long": "An id exceeds 512 bytes, another text 4,096 bytes, or the record 1 MiB.",
    "key_mismatch": "The record key is not the customer id in UTF-8, so the record may be on a wrong partition.",
    "excluded_referrer": "The visit returns from a payment gateway or an own domain: no touch. A drop, not an error.",
    "too_late": "The event is older than the journey still keeps.",
    "identity_cycle": "The link would make an id a former id of itself.",
    "too_many_ids": "The link would give one person more ids than allowed: probably a shared device.",
    "too_many_conversions": "The journey has as many conversions and corrections as it keeps: probably a shared id.",
    "erased": "The customer asked to be forgotten. A drop, not an error.",
}

#: Reasons that are correct outcomes: counted, not written to the dead letter topic.
DROP_REASONS: Final[frozenset[Reason]] = frozenset({"excluded_referrer", "erased"})
