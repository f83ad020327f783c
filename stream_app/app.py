"""The Faust application, made by a factory: one agent, one table, the chunked transport."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import faust
from faust.types import TP, StreamT
from yarl import URL

from attribution.fitted import NO_FITS, Timeline
from schemas.channel_rules import load_channel_rules
from schemas.codec import Codec, EventKind, LocalSchemas, RegistrySchemas
from stream_app.batch import Batch
from stream_app.dead_letter_limits import LimitGuard
from stream_app.deadletter import DeadLetters
from stream_app.decoding import Source, Sources
from stream_app.handovers import HandoverWriter, Notice
from stream_app.journeys import JourneyStep
from stream_app.lag import Place
from stream_app.pipeline import Measure, Pipeline
from stream_app.recovery import TableManager
from stream_app.settings import WorkerSettings
from stream_app.state import DurableState
from stream_app.suppression import Suppression
from stream_app.tables import JourneyTable
from stream_app.transport import Consumer, Epoch, Pace, Transport
from telemetry.tracing import Tracer


class AttributionApp(faust.App):
    """A Faust application that knows its settings and its journeys."""

    worker_settings: WorkerSettings
    journeys: JourneyTable
    pipeline: Pipeline
    on_ready: Callable[[set[int]], None]
    on_not_ready: Callable[[], None]
    on_restoring: Callable[[dict[str, dict[str, Any]]], None]
    beat: Callable[[str], None]
    fail_stop: Callable[[BaseException], None]

    @property
    def chunked(self) -> Consumer:
        """The consumer, once it is made."""
        found = self.consumer
        if not isinstance(found, Consumer):
            raise TypeError("the chunked transport is not in place")
        return found

    def places(self) -> dict[TP, Place]:
        """How far each source partition is; from any thread, nothing before the start."""
        found: Any = self._consumer
        return found.places() if isinstance(found, Consumer) else {}


def create_app(
    settings: WorkerSettings,
    *,
    write_rows: Callable[[Batch], None],
    fail_stop: Callable[[BaseException], None],
    clock_us: Callable[[], int],
    erased: Collection[bytes] = (),
    timeline: Callable[[], Timeline] = lambda: NO_FITS,
    beat: Callable[[str], None] = lambda _: None,
    measure: Measure | None = None,
    tracer: Tracer | None = None,
) -> AttributionApp:
    """Build a worker's application; nothing is opened or connected before it starts.

    Args:
        settings: where everything is and what is computed.
        write_rows: puts a batch into ClickHouse; blocks until it is there.
        fail_stop: ends the process without committing.
        clock_us: wall clock, microseconds.
        erased: digests of customers to forget that the state may not know.
        timeline: the fits of the data-driven model that are known now.
        beat: told of every sign of life, from any thread.
        measure: told of every epoch.
        tracer: where spans go.
    """
    url = URL(f"kafka://{settings.bootstrap_servers.replace(',', ';kafka://')}")
    app = AttributionApp(
        settings.group_id,
        broker=url,
        store="rocksdb://",
        datadir=str(settings.data_dir),
        TableManager=TableManager,
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        topic_replication_factor=1,
        table_standby_replicas=0,
        stream_wait_empty=True,
        stream_recovery_delay=0.0,
        broker_max_poll_records=settings.epoch_records,
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=min(3.0, settings.session_timeout_s / 4),
        broker_request_timeout=max(90.0, settings.session_timeout_s * 2),
        consumer_max_fetch_size=settings.fetch_bytes,
        consumer_auto_offset_reset="earliest",
    )
    app.transport = Transport([url], app, loop=None)
    app.transport.pace = Pace(
        topics=settings.source_topics,
        aligned_topics=(settings.touchpoints_topic, settings.conversions_topic) if settings.align_topics else (),
        epoch_records=settings.epoch_records,
        linger_s=settings.epoch_linger_ms / 1000,
    )
    app.worker_settings = settings
    app.on_ready = lambda _: None
    app.on_not_ready = lambda: None
    app.on_restoring = lambda _: None
    app.beat, app.fail_stop = beat, fail_stop
    events = app.topic(*settings.source_topics, acks=False, maxsize=1, key_type=bytes, value_type=bytes)
    app.journeys = JourneyTable(
        app,
        name="journeys",
        key_type=bytes,
        value_type=bytes,
        cache_mb=settings.state_cache_mb,
        write_mb=settings.state_write_mb,
    )
    app.tables.add(app.journeys)
    app.pipeline = _pipeline(app, settings, write_rows, clock_us, erased, timeline, measure, tracer)

    @app.agent(events, name="attribute")
    async def attribute(epochs: StreamT[Epoch]) -> None:
        async for epoch in epochs:
            try:
                await app.pipeline.run(epoch, fail_stop)
            except Exception as error:  # noqa: BLE001  # a restarted agent would skip the epoch
                fail_stop(error)

    return app


def _pipeline(
    app: AttributionApp,
    settings: WorkerSettings,
    write_rows: Callable[[Batch], None],
    clock_us: Callable[[], int],
    erased: Collection[bytes],
    timeline: Callable[[], Timeline],
    measure: Measure | None,
    tracer: Tracer | None,
) -> Pipeline:
    dead_letters: list[DeadLetters] = []
    handovers: list[HandoverWriter] = []

    def write_notices(notices: Sequence[Notice]) -> None:
        if not handovers:
            handovers.append(HandoverWriter(settings.bootstrap_servers, settings.handovers_topic))
        handovers[0].write(notices)

    def write_dead_letters(rejected: Any) -> None:
        if not settings.write_dead_letters:
            return
        if not dead_letters:
            dead_letters.append(DeadLetters(settings.bootstrap_servers, settings.dead_letter_topic, clock_us))
        dead_letters[0].write(rejected)

    def state(partition: int) -> DurableState:
        manager: Any = app.tables
        return DurableState(manager.recovery.logs[partition], app.journeys.partition(partition))

    def note(tp: TP) -> tuple[int, str]:
        return app.chunked.note(tp)

    rules = load_channel_rules(settings.channel_rules)
    registry = settings.schema_registry_url
    schemas = RegistrySchemas(registry) if registry else LocalSchemas()

    def codec(kind: EventKind) -> Codec:
        return Codec(kind, channel_rules=rules, schemas=schemas)

    sources = Sources(
        touchpoints=Source(settings.touchpoints_topic, codec("touchpoint")),
        conversions=Source(settings.conversions_topic, codec("conversion")),
        spend=Source(settings.spend_topic, codec("spend")),
        identities=Source(settings.identities_topic, codec("identity")),
        erasures=Source(settings.erasures_topic, codec("erasure")),
        handovers_topic=settings.handovers_topic,
    )
    suppression = Suppression(settings.erasure_secret.get_secret_value().encode(), erased)
    return Pipeline(
        sources=sources,
        journeys=JourneyStep(settings.attribution_config(), sources, suppression, timeline=timeline),
        state=state,
        consumer=lambda: app.chunked,
        write_dead_letters=write_dead_letters,
        write_notices=write_notices,
        write_rows=write_rows,
        threads=ThreadPoolExecutor(8, thread_name_prefix="epoch"),
        limits=LimitGuard(settings.dead_letter_limits(), note),
        beat=app.beat,
        measure=measure,
        tracer=tracer,
    )
