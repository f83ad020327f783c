"""One measurement of freshness: a stack, a load, canaries, and who looks for them where.

Ages run from the moment a canary was due until a look has shown it: in ``conversions_attributed``, in the daily sums of
``channel_performance``, and in the answer of the REST API. Every place is asked by a thread of its own, for all slots
at once. Raises ``LoadError`` and what the stack raises.
"""

from __future__ import annotations

import http.client
import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

from cli.bench_load import Backlog, LoadError, maximum, simulator, summary
from cli.canaries import CONVERSION_TYPE, Flock, Sightings, Watcher, quantiles, send
from cli.epoch_log import EpochLog, stages
from cli.local_key import key_header
from schemas.topics import topic_of

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACES: Final = ("credits", "rollup", "rest")
_MODEL: Final = "linear"
#: Time for the load to reach its pace before the first canary.
_WARM_UP_S: Final = 8.0


@dataclass(frozen=True)
class Endpoints:
    """A running stack; ``logs`` of its workers may be unknown. ``each`` looks after it and is called now and then."""

    environment: Mapping[str, str]
    api_url: str
    group_id: str
    logs: Sequence[Path] = ()
    each: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Wanted:
    """What to measure. ``rate`` is the background load in records a second, None: half of the measured maximum."""

    rate: float | None
    canaries: float
    seconds: float
    deadline_s: float
    places: Sequence[str] = PLACES
    look_s: float = 0.05
    calibrate: int = 1_500_000


@dataclass
class Outcome:
    """Numbers of one measurement, ready for JSON."""

    settings: dict[str, Any] = field(default_factory=dict)
    load: dict[str, Any] = field(default_factory=dict)
    places: dict[str, dict[str, Any]] = field(default_factory=dict)
    stages: dict[str, dict[str, float]] = field(default_factory=dict)
    epochs: int = 0

    @property
    def is_complete(self) -> bool:
        """Every canary was seen everywhere in time, and none twice."""
        return all(not p["missing"] and not p["late"] and not p["surplus"] for p in self.places.values())


def measure(stack: Endpoints, wanted: Wanted, folder: Path, say: Callable[[str], None]) -> Outcome:
    """Find the rate if it is not given, start the load, send the canaries, wait for them."""
    outcome = Outcome()
    with Backlog(stack.environment["KAFKA_BOOTSTRAP_SERVERS"], stack.group_id) as backlog:
        rate = wanted.rate
        if rate is None:
            say(f"maximum: sending {wanted.calibrate:,} records, then timing how the workers catch up")
            most = maximum(backlog, stack.environment, folder / "calibrate.log", wanted.calibrate, stack.each)
            rate = float(round(most / 2))
            outcome.load["measured_maximum"] = round(most)
            say(f"maximum: {most:,.0f} records/s, so the load is {rate:,.0f}")
        backlog.wait(0, 120, stack.each)
        with _load(stack, rate, folder / "load.log", outcome, backlog):
            _pass(_WARM_UP_S if rate else 0.0, stack.each)
            flock = _flock(stack, wanted)
            log = EpochLog(stack.logs)
            say(f"canaries: {flock.count:,} at {wanted.canaries:g}/s under {rate:,.0f} records/s")
            _observe(stack, wanted, flock, outcome)
            epochs = log.epochs()
        done, there = backlog.read()
        outcome.load |= {"rate": rate, "behind_at_end": there - done}
    outcome.epochs = len(epochs)
    outcome.stages = stages(epochs) if epochs else {}
    outcome.settings = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "canaries_per_second": wanted.canaries,
        "seconds": wanted.seconds,
        "deadline_s": wanted.deadline_s,
        "look_every_s": wanted.look_s,
    }
    return outcome


@contextmanager
def _load(stack: Endpoints, rate: float, log: Path, outcome: Outcome, backlog: Backlog) -> Iterator[None]:
    """The load, from its first record on, while the block runs; what it has sent is noted at its end."""
    from embedded.process import stop

    if not rate:
        yield
        return
    _, there = backlog.read()
    process = simulator(stack.environment, log, 2, "--live", "--events", "0", "--rate", str(rate))
    try:
        while process.poll() is None and backlog.read()[1] == there:
            _pass(0.2, stack.each)
        yield
        if process.poll() is not None:
            raise LoadError(f"the load ended too early; see {log}")
    finally:
        stop(process, 30)
    sent = summary(log)["send"]
    outcome.load |= {"sent": sent["sent"], "sent_late": sent["late"], "most_behind_s": round(sent["max_behind_s"], 3)}


def _observe(stack: Endpoints, wanted: Wanted, flock: Flock, outcome: Outcome) -> None:
    from stream_app.producing import careful_producer

    producer = careful_producer(stack.environment["KAFKA_BOOTSTRAP_SERVERS"], max_bytes=1_000_000)
    topics = {kind: topic_of(kind).topic for kind in ("touchpoint", "conversion")}
    with ExitStack() as closing:
        looks = {place: _LOOKS[place](stack, flock, closing) for place in wanted.places}
        start = time.monotonic() + 0.2
        watchers = {
            place: Watcher(look, Sightings(flock.due_by_slot()), start, wanted.look_s) for place, look in looks.items()
        }
        for watcher in watchers.values():
            watcher.start()
        confirmed = send(flock, producer, topics, start)
        deadline = start + flock.due_s(flock.count) + wanted.deadline_s
        while any(w.sightings.missing for w in watchers.values()) and time.monotonic() < deadline:
            _pass(0.1, stack.each)
        for watcher in watchers.values():
            watcher.stop()
    outcome.places["confirmed"] = {"missing": 0, "late": 0, "surplus": 0, "count": len(confirmed)} | quantiles(
        confirmed
    )
    for place, watcher in watchers.items():
        seen = watcher.sightings
        outcome.places[place] = {
            "missing": seen.missing,
            "late": sum(age > wanted.deadline_s for age in seen.ages),
            "surplus": seen.surplus,
            "count": len(seen.ages),
            **quantiles(seen.ages),
            "looks": len(seen.looks),
            "look_seconds": quantiles(seen.look_seconds),
            "longest_gap_s": seen.longest_gap_s,
            "failed_looks": watcher.failures,
            "last_failure": watcher.last_failure,
        }


def _flock(stack: Endpoints, wanted: Wanted) -> Flock:
    from aiokafka.partitioner import murmur2
    from confluent_kafka.admin import AdminClient

    from stream_app.topics import partition_counts

    counts = partition_counts(AdminClient({"bootstrap.servers": stack.environment["KAFKA_BOOTSTRAP_SERVERS"]}))
    partitions = counts[topic_of("conversion").topic]
    return Flock(
        tag=uuid.uuid4().hex[:6],
        rate=wanted.canaries,
        count=max(round(wanted.canaries * wanted.seconds), 1),
        partitions=partitions,
        partition_of=lambda key: (murmur2(key) & 0x7FFFFFFF) % partitions,
    )


def _days() -> dict[str, Any]:
    """The day before and the day after today: a run may pass midnight."""
    today = datetime.now(UTC).date()
    return {"start": today - timedelta(days=1), "end": today + timedelta(days=1)}


def _by_slot(rows: Sequence[tuple[str, float]], prefix: str) -> dict[int, int]:
    return {int(channel[len(prefix) :]): round(seen) for channel, seen in rows if channel.startswith(prefix)}


def _client(stack: Endpoints, closing: ExitStack) -> Any:
    from clickhouse.client import connect
    from clickhouse.settings import ClickHouseSettings

    client = connect(
        ClickHouseSettings(url=stack.environment["CLICKHOUSE_URL"], database=stack.environment["CLICKHOUSE_DATABASE"])
    )
    closing.callback(client.close)
    return client


def _look_at_credits(stack: Endpoints, flock: Flock, closing: ExitStack) -> Callable[[], dict[int, int]]:
    from clickhouse import queries

    client, days = _client(stack, closing), _days()
    bounds = {"after": flock.prefix, "before": flock.prefix + "~"}

    def look() -> dict[int, int]:
        rows = queries.run(client, "canaries_attributed", model=_MODEL, **days, **bounds)
        return _by_slot([(r["channel"], r["seen"]) for r in rows], flock.prefix)

    return look


def _look_at_rollup(stack: Endpoints, flock: Flock, closing: ExitStack) -> Callable[[], dict[int, int]]:
    from clickhouse import queries

    client, days = _client(stack, closing), _days()

    def look() -> dict[int, int]:
        rows = queries.run(client, "canaries_rolled_up", model=_MODEL, **days, prefix=flock.prefix)
        return _by_slot([(r["channel"], r["seen"]) for r in rows], flock.prefix)

    return look


def _look_at_rest(stack: Endpoints, flock: Flock, closing: ExitStack) -> Callable[[], dict[int, int]]:
    days = {name + "_date": day.isoformat() for name, day in _days().items()}
    asked = urlencode({**days, "attribution_model": _MODEL, "conversion_type": CONVERSION_TYPE})
    connection = http.client.HTTPConnection(urlsplit(stack.api_url).netloc, timeout=10)
    closing.callback(connection.close)
    headers = key_header(stack.environment)

    def look() -> dict[int, int]:
        try:
            connection.request("GET", f"/api/v1/analytics/channel-performance?{asked}", headers=headers)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()  # the next look connects anew
            raise
        if answer.status != http.client.OK:
            raise LoadError(f"the API answers {answer.status}: {body[:200]!r}")
        return _by_slot([(r["channel"], r["conversions"]) for r in json.loads(body)["channels"]], flock.prefix)

    return look


_LOOKS: Final = {"credits": _look_at_credits, "rollup": _look_at_rollup, "rest": _look_at_rest}


def _pass(seconds: float, each: Callable[[], None]) -> None:
    """Wait, and look after the stack meanwhile."""
    until = time.monotonic() + seconds
    while True:
        each()
        left = until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, 0.5))
