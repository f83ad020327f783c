"""One statement as text, for programs whose statements are not named queries of this package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from clickhouse_connect.driver.exceptions import ClickHouseError

from clickhouse.errors import translate

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


class Answer(NamedTuple):
    """Names and ClickHouse types of the columns, and the rows."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    rows: Sequence[Sequence[Any]]


def ask(client: Client, statement: str, what: str) -> Answer:
    """The answer of the engine; ``what`` names the statement in errors.

    Raises:
        SinkUnavailable: the engine cannot answer now.
        SinkRejected: the engine refuses the statement.
    """
    try:
        found = client.query(statement)
    except ClickHouseError as error:
        raise translate(error, what) from error
    return Answer(tuple(found.column_names), tuple(kind.name for kind in found.column_types), found.result_rows)
