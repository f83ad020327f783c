"""Broker and ClickHouse of the local stack, for programs that bring their own workers: tests and benchmarks.

``LocalStack(dir)`` starts both side by side, waits until they answer, and stops them at the end; data stay in ``dir``,
so a second start over the same directory finds them. Start it from the main thread (see ``process``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedded.broker import Broker
from embedded.clickhouse import ClickHouse

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self


class LocalStack:
    """Broker and ClickHouse over ``data_dir``; a context manager."""

    def __init__(
        self, data_dir: Path, *, kafka_port: int = 0, clickhouse_port: int = 0, keep_forever: bool = True
    ) -> None:
        logs = data_dir / "logs"
        self.broker = Broker(data_dir / "kafka", port=kafka_port, log=logs / "kafka.log", keep_forever=keep_forever)
        self.clickhouse = ClickHouse(data_dir / "clickhouse", port=clickhouse_port, log=logs / "clickhouse.log")

    @property
    def kafka_bootstrap(self) -> str:
        """``host:port`` of the broker."""
        return self.broker.bootstrap

    @property
    def clickhouse_url(self) -> str:
        """``http://host:port`` of ClickHouse."""
        return self.clickhouse.url

    @property
    def environment(self) -> dict[str, str]:
        """The settings that point every program of ours here."""
        return {"KAFKA_BOOTSTRAP_SERVERS": self.kafka_bootstrap, "CLICKHOUSE_URL": self.clickhouse_url}

    def start(self) -> Self:
        """Start both; ClickHouse comes up while the broker does.

        Raises:
            BrokerError: The broker did not start.
            ClickHouseError: ClickHouse did not.
        """
        try:
            self.clickhouse.spawn()
            self.broker.start()
            self.clickhouse.wait()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop both, in reverse order."""
        self.broker.stop()
        self.clickhouse.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
