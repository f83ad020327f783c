"""One way to get a ClickHouse client. Times come back as aware UTC datetimes; inserts are synchronous."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError

from clickhouse.errors import SinkRejected, translate

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from clickhouse.settings import ClickHouseSettings

_AUTHENTICATION_FAILED = 516


def connect(settings: ClickHouseSettings, *, use_database: bool = True) -> Client:
    """A client for ``settings``; without a session, so that several threads may share it.

    Args:
        settings: where to go.
        use_database: False to work before the database exists.

    Raises:
        SinkUnavailable: nobody answers there.
        SinkRejected: user or password are wrong.
    """
    parts = urlsplit(settings.url)
    default_port = 8443 if parts.scheme == "https" else 8123
    try:
        return clickhouse_connect.get_client(
            interface=parts.scheme,
            host=parts.hostname or "127.0.0.1",
            port=parts.port or default_port,
            proxy_path=parts.path,
            username=settings.user,
            password=settings.password.get_secret_value(),
            # "default" always exists; the client would otherwise ask for its user's database
            database=settings.database if use_database else "default",
            compress=settings.wire_compression or False,
            connect_timeout=settings.connect_timeout_s,
            send_receive_timeout=settings.send_receive_timeout_s,
            # a retried insert is the worker's decision; queries are cheap to ask again
            query_retries=1,
            autogenerate_session_id=False,
            dedicated_pool=True,
            tz_mode="aware",
            settings={"async_insert": 0},
        )
    except ClickHouseError as error:
        if getattr(error, "code", None) == _AUTHENTICATION_FAILED:
            raise SinkRejected(
                f"CLICKHOUSE_USER={settings.user!r}: ClickHouse refuses this user or its password; "
                f"set CLICKHOUSE_USER and CLICKHOUSE_PASSWORD"
            ) from error
        raise translate(error, f"connect to CLICKHOUSE_URL={settings.url}") from error
