"""One Apache Kafka broker (KRaft, broker and controller in one) on this machine, with its data kept between starts.

``python -m embedded.broker prefetch`` fetches the jars; ``python -m embedded.broker run --data-dir D --port N`` formats
``D`` if it is new and *becomes* the broker. ``Broker`` starts that as a child and waits until it answers.

Everything has replication factor 1: this broker's data are as safe as its disk. Topics are not created by use.
Raises ``BrokerError`` with the end of the log when it does not come up.
"""

from __future__ import annotations

import argparse
import base64
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Final

from embedded.jars import KAFKA_VERSION, classpath, ensure_jars, find_java
from embedded.ports import answers, free_port
from embedded.process import spawn, stop, tail

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

#: C1 only and the serial collector: 1.9 s and 2.5 CPU-s to start instead of 2.7 s and 4.3 CPU-s (2 cores).
JVM: Final = (
    "-Xms64m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)


class BrokerError(RuntimeError):
    """The broker did not start; the message ends with its log."""


def properties(
    data_dir: Path,
    port: int,
    controller_port: int,
    *,
    keep_forever: bool = True,
    extra: Mapping[str, str] | None = None,
) -> str:
    """The broker's configuration file.

    The quorum is static, so the controller's port may differ from start to start. Timestamp limits are Kafka's own
    (any age is accepted, one hour ahead at most). Internal topics have four partitions: fifty of each cost seconds.
    The short broker session is what a start after SIGKILL waits for (12 s with Kafka's own).
    """
    lines = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": data_dir / "log",
        "num.partitions": 4,
        "default.replication.factor": 1,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "offsets.retention.minutes": 525_600,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 4,
        "group.initial.rebalance.delay.ms": 0,
        "group.min.session.timeout.ms": 1_000,
        "broker.session.timeout.ms": 3_000,
        "broker.heartbeat.interval.ms": 500,
        "auto.create.topics.enable": "false",
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "background.threads": 2,
    }
    if keep_forever:
        lines["log.retention.ms"] = -1
    lines |= extra or {}
    return "".join(f"{key}={value}\n" for key, value in lines.items())


def prepare(
    data_dir: Path, port: int, *, keep_forever: bool = True, extra: Mapping[str, str] | None = None
) -> list[str]:
    """Write the configuration, format a new directory, and give the command that runs the broker.

    Raises:
        BrokerError: The directory cannot be formatted.
    """
    java, libraries = find_java(), classpath(ensure_jars())
    data_dir.mkdir(parents=True, exist_ok=True)
    config = data_dir / "server.properties"
    config.write_text(properties(data_dir, port, free_port(), keep_forever=keep_forever, extra=extra))
    if not (data_dir / "log" / "meta.properties").exists():
        command = [java, *JVM, "-cp", libraries, "kafka.tools.StorageTool", "format", "-t", cluster_id()]
        command += ["-c", str(config)]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        if told.returncode:
            raise BrokerError(f"cannot format {data_dir}: {(told.stderr or told.stdout)[-1500:]}")
    return [java, *JVM, "-cp", libraries, "kafka.Kafka", str(config)]


def cluster_id() -> str:
    """A new id in Kafka's form; never with a dash in front, which its command line takes for an option."""
    while True:
        found = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not found.startswith("-"):
            return found


class Broker:
    """A broker as a child process; a context manager. ``port`` 0 asks the system for one.

    ``extra`` are lines of its configuration, under Kafka's own names.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int = 0,
        log: Path | None = None,
        keep_forever: bool = True,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        self.data_dir = data_dir
        self.port = port or free_port()
        self.log = log or data_dir / "broker.log"
        self.keep_forever, self.extra = keep_forever, extra
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """What clients connect to."""
        return f"127.0.0.1:{self.port}"

    def start(self, timeout_s: float = 60.0) -> Self:
        """Start and wait until the broker answers a metadata request.

        Raises:
            BrokerError: It ended, or did not answer in time.
        """
        command = prepare(self.data_dir, self.port, keep_forever=self.keep_forever, extra=self.extra)
        self.process = spawn(command, log=self.log)
        deadline = time.monotonic() + timeout_s
        while not is_ready(self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise BrokerError(f"Kafka did not start on port {self.port}; end of {self.log}:\n{tail(self.log)}")
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        """End it cleanly; data stay."""
        if self.process is not None:
            stop(self.process)
            self.process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def is_ready(port: int, timeout_s: float = 2.0) -> bool:
    """True if the broker on this port of this machine answers a metadata request and knows itself."""
    if not answers(port):
        return False
    from confluent_kafka import KafkaException  # noqa: PLC0415 - 40 ms that `prefetch` and `run` do not need
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415 - same

    admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0})
    try:
        return bool(admin.list_topics(timeout=timeout_s).brokers)
    except KafkaException:
        return False


def main(arguments: list[str] | None = None) -> None:
    """``prefetch`` or ``run``."""
    parser = argparse.ArgumentParser(prog="python -m embedded.broker", description=f"Apache Kafka {KAFKA_VERSION}")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("prefetch", help="fetch the jars, so that later starts need no network")
    run = actions.add_parser("run", help="be the broker")
    run.add_argument("--data-dir", type=Path, required=True)
    run.add_argument("--port", type=int, required=True)
    chosen = parser.parse_args(arguments)
    try:
        if chosen.action == "prefetch":
            folder = ensure_jars()
            count = len(list(folder.glob("*.jar")))
            sys.stdout.write(f"Kafka {KAFKA_VERSION}: {count} jars in {folder}; Java: {find_java()}\n")
            return
        command = prepare(chosen.data_dir, chosen.port)
    except RuntimeError as error:
        sys.exit(f"error: {error}")
    os.execv(command[0], command)  # noqa: S606 - the broker takes our place, so signals reach it without a go-between


if __name__ == "__main__":
    main()
