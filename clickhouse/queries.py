"""The queries of the product, one ``.sql`` file each under ``queries/``, with typed server-side parameters only.

``load(name)`` gives the text, ``run(client, name, **parameters)`` a list of rows as dictionaries. Every parameter must
be given. Money is int micros, times are aware UTC datetimes, days are ``date``. All read the active run.

=============================  =====================================================================================
query                          parameters -> columns
=============================  =====================================================================================
report_credits                 run_id, days: list of date, model, currency, conversion_type, fx_max_age_days
                               -> day, channel, has_usable (0: no amount had a rate, so no sums), conversions,
                               revenue_micros, touchpoints, converted and left_out (lists of other currencies)
report_credits_touch           the same, start and end: date (of the touches) -> the same, by conversion day
report_spend                   start, end, currency, fx_max_age_days -> channel, has_usable, spend_micros, converted,
                               left_out, spend_through (date)
analytics_credits              start, end, models: list, currency, conversion_type, bucket ("day", "week", "month" or
                               ""), by_campaign: 0 or 1, fx_max_age_days -> of_model, shown (date), of_channel,
                               campaign, has_usable, conversions, revenue_micros, touchpoints, converted, left_out
analytics_credits_touch        the same by the day of the touch
analytics_spend                start, end, currency, bucket, by_campaign, fx_max_age_days -> shown, of_channel,
                               campaign, has_usable, spend_micros, converted, left_out
analytics_top_paths            run_id, start, end, currency, conversion_type, fx_max_age_days, channel, by_campaign and
                               collapse: 0 or 1, has_after, after_conversions, after_id, limit -> path_id ("": all
                               paths), channels_shown, campaigns_shown, has_usable, conversions, value_micros,
                               all_touches, converted, left_out
analytics_path_length          run_id, start, end, currency, conversion_type, fx_max_age_days, longest -> of_length,
                               has_usable, conversions, value_micros, all_touches, converted, left_out
analytics_time_lag             the same but longest, bounds_s: list of seconds -> one row: buckets (list of bucket since
                               the first touch, since the last, conversions, micros), first_s and last_s (quantiles),
                               converted, left_out
analytics_assists              run_id, start, end, currency, conversion_type, fx_max_age_days -> of_channel, role
                               ("first", "last", "assist", "none"), has_usable, conversions, value_micros, converted,
                               left_out
funnel_levels                  first_us, last_us, window_us, any_touch: mask of steps, channels, types, conversions:
                               lists with channel_masks, type_masks, conversion_masks -> level (steps done), customers
funnel_types                   none -> of_type
unattributed                   start, end, currency, conversion_type, bucket, fx_max_age_days, lookback_us, excluded and
                               resets: lists, resets_since: date -> shown (date), of_type, reason, has_usable,
                               conversions, value_micros, converted, left_out
unattributed_channels          none -> of_channel
explain_history                conversion_id -> rev, customer_id, converted_at, value_micros, currency, is_deleted,
                               config_hash, emitted_at, models, ids, weights, micros: every row still held, by rev
explain_config                 none -> config (JSON), config_hash of the active run
explain_links                  customers: list of ids -> at_us, event_id, previous_id, customer_id
fits_at                        times_us: list -> parameters (JSON) of the fits that count for conversions at these times
fits_newest                    limit -> parameters (JSON) of the fits that count last
training_transitions           stage, depth -> state, kind, next, journeys, replicates
training_sets                  stage -> channels, conversions, nulls, replicate_conversions,
                               replicate_nulls
data_status                    none -> run_id, app, topic, partition, offset (next), watermark (None before the
                               first event), updated_at; a row per topic and partition of the active run
canary_seen                    at_us, conversions: list of ids -> conversion_id, rev
rollups_conservation           none -> error_micros: what the models' sums by day of the active run differ; 0
dead_letters_by_reason         none -> topic, reason, stage, records, last_failed_at
standing                       none -> part, run_id, name, day, text, a, b, c, latest, total, rows: the state of all
                               tables, see its text; ``clickhouse.standing`` reads it
standing_parts                 none -> host, now_us, parts, n: whether that may have changed (``standing_watch``)
standing_tables                none -> has_all_parts
=============================  =====================================================================================

Raises ``ValueError`` for an unknown query or a wrong set of parameters, and the errors of ``clickhouse.errors``.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from clickhouse_connect.driver.exceptions import ClickHouseError

from clickhouse.errors import translate

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    from clickhouse_connect.driver.client import Client

_PARAMETER = re.compile(r"\{(\w+):")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@cache
def names() -> tuple[str, ...]:
    """Every query, sorted."""
    folder = files("clickhouse") / "queries"
    return tuple(sorted(f.name.removesuffix(".sql") for f in folder.iterdir() if f.name.endswith(".sql")))


@cache
def load(name: str) -> str:
    """The text of one query."""
    if name not in names():
        raise ValueError(f"query {name!r} does not exist; there are: {', '.join(names())}")
    return (files("clickhouse") / "queries" / f"{name}.sql").read_text(encoding="utf-8")


@cache
def parameters(name: str) -> frozenset[str]:
    """The names of the parameters that a query binds."""
    return frozenset(_PARAMETER.findall(load(name)))


def run(client: Client, name: str, /, **bound: Any) -> list[dict[str, Any]]:
    """The rows of a query, in its order.

    Raises:
        ValueError: an unknown query, or parameters that are missing or unknown.
        SinkUnavailable: the engine cannot answer now.
        SinkRejected: the engine refuses the query or a value.
    """
    sql = _checked(name, bound)
    try:
        return list(client.query(sql, parameters=bound).named_results())
    except ClickHouseError as error:
        raise translate(error, f"query {name}") from error


def arrow(client: Client, name: str, /, **bound: Any) -> pa.Table:
    """The rows of a query as an Arrow table. Raises like ``run``."""
    sql = _checked(name, bound)
    try:
        return client.query_arrow(sql, parameters=bound, use_strings=True)
    except ClickHouseError as error:
        raise translate(error, f"query {name}") from error


def execute(client: Client, name: str, /, *, tables: Mapping[str, str] | None = None, **bound: Any) -> None:
    """Runs a statement that answers nothing.

    Args:
        client: where.
        name: which statement.
        tables: names in its text and the tables meant by them, where the engine takes no parameter for a table.
        bound: its parameters.

    Raises:
        ValueError: an unknown statement, parameters that are missing or unknown, or a table name that is not plain.
        SinkUnavailable: the engine cannot do it now.
        SinkRejected: the engine refuses.
    """
    sql = _checked(name, bound)
    for placeholder, table in (tables or {}).items():
        if not _PLAIN_NAME.fullmatch(table):
            raise ValueError(
                f"statement {name}: table {table!r} is not a plain name of letters, digits and underscores"
            )
        sql = sql.replace(placeholder, table)
    try:
        # rule-ok: only plain names were put in
        client.command(sql, parameters=bound)
    except ClickHouseError as error:
        raise translate(error, f"statement {name}") from error


def _checked(name: str, bound: Mapping[str, Any]) -> str:
    sql = load(name)
    wanted = parameters(name)
    if bound.keys() != wanted:
        missing, unknown = sorted(wanted - bound.keys()), sorted(bound.keys() - wanted)
        raise ValueError(f"query {name}: missing parameters {missing}, unknown parameters {unknown}")
    return sql
