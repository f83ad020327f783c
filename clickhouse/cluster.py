"""The migrations for a cluster of ClickHouse: by substitution in their statements, so that there is one set of files.

Definitions run ``ON CLUSTER``, tables keep their names and become ``Replicated…MergeTree`` at the server's own path
(``default_replica_path``, which holds the table's UUID, so that a swap of names is no conflict). One shard of several
replicas is what the product runs on: every statement that it knows then works as on one server. Beside each table that
could be spread over shards there is a ``<table>_all`` over all of them (``Distributed``), for SQL of one's own.

Nothing here speaks to a server.
"""

from __future__ import annotations

import re
from typing import Final

#: Tables that shards could share, and what would keep rows that replace each other on the same one.
SHARDED: Final = {
    "touchpoints": "cityHash64(customer_id)",
    "conversions": "cityHash64(customer_id)",
    "identities": "cityHash64(customer_id)",
    "attributions": "cityHash64(conversion_id)",
}

_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAME: Final = r"(?:`\w+`|\w+|\{\w+:Identifier\})"
#: A statement up to where the cluster is named.
_DEFINITION: Final = re.compile(
    rf"CREATE (?:OR REPLACE )?(?:TABLE|VIEW|DATABASE) (?:IF NOT EXISTS )?{_NAME}"
    rf"|ALTER TABLE {_NAME}"
    rf"|DROP TABLE IF EXISTS {_NAME}"
    rf"|RENAME TABLE {_NAME} TO {_NAME}"
)
_ENGINE: Final = re.compile(r"\bENGINE = (?=(?:Replacing)?MergeTree\b)")


def check_cluster(name: str) -> str:
    """The name of a cluster, if it can be one.

    Raises:
        ValueError: it cannot.
    """
    if not _PLAIN_NAME.fullmatch(name):
        raise ValueError(
            f"cluster={name!r}: must be letters, digits and underscores, as in remote_servers of the server"
        )
    return name


def on_cluster(statement: str, cluster: str) -> str:
    """A statement of a migration as the cluster takes it; one that moves rows stays as it is, replicas follow.

    Raises:
        ValueError: nobody has thought about such a statement, or the name is none.
    """
    check_cluster(cluster)
    if statement.startswith("INSERT INTO "):
        return statement
    found = _DEFINITION.match(statement)
    if found is None:
        raise ValueError(f"a statement that is not known to work on a cluster: {statement.splitlines()[0]}")
    head, rest = found[0], statement[found.end() :]
    if head.startswith("CREATE") and " TABLE " in head:
        rest, count = _ENGINE.subn("ENGINE = Replicated", rest)
        if count != 1:
            raise ValueError(f"a table whose engine has no replicated form: {head}")
    return f"{head} ON CLUSTER {cluster}{rest}"


def spread(cluster: str) -> list[str]:
    """The tables over all shards, made anew: their columns follow those of the tables."""
    check_cluster(cluster)
    return [
        # rule-ok: plain names, and expressions of this file
        f"CREATE OR REPLACE TABLE {table}_all ON CLUSTER {cluster} AS {table} "
        f"ENGINE = Distributed({cluster}, currentDatabase(), {table}, {key})"
        for table, key in SHARDED.items()
    ]
