"""Invariants I1 to I10: functions of ledger and stream that answer with violations, one text each; none is good.

All comparisons are exact, except the sum of float weights in I5. ``Watch`` holds what is sampled while faults go on.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from attribution.config import AttributionConfig
from clickhouse.rollups import Roller
from fault_ledger import Ledger
from fault_observer import Observer
from fault_oracle import Key, Row, conversion_id_of, expected_rows, expected_sums

MEANING: Final = {
    "I1": "every acknowledged record is applied, deduplicated or dead-lettered, and only one of these",
    "I2": "visible rows equal the batch",
    "I3": "no key is visible twice",
    "I4": "credits sum to the value, to the micro",
    "I5": "rollups equal the batch's daily sums",
    "I6": "local store = changelog rebuild = the ledger's journeys",
    "I7": "nothing is committed that is not durable and inserted (sampled)",
    "I8": "rev never falls, and one rev has one content (sampled)",
    "I9": "committed offsets reach the ends",
    "I10": "a second replay from offset 0 changes nothing",
}

#: At most so many examples per violation text.
_SHOWN: Final = 3


@dataclass
class Watch:
    """Samples taken while a run goes on; ``violations`` by invariant."""

    ledger: Ledger
    observer: Observer
    violations: dict[str, list[str]] = field(default_factory=lambda: {"I7": [], "I8": []})
    samples: int = 0
    _revs: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def sample(self) -> int:
        """Check I7 and I8 now; returns how many records were durable and not yet committed (will be replayed).

        Offsets are read first: what is durable and inserted can only have grown since.
        """
        self.samples += 1
        committed = self.observer.committed()
        durable, facts = self.observer.durable(), self.observer.facts()
        ever = self.observer.ever_written()
        replayed, missing = 0, []
        for entry in self.ledger.acked:
            event: Any = entry.record.event
            if event is None or entry.record.kind == "spend":
                continue
            is_durable = event.event_id in durable.get(event.customer_id, ())
            if entry.offset >= committed[entry.topic, entry.partition]:
                replayed += is_durable
            elif not is_durable or event.event_id not in facts or not _is_written(entry.record.kind, event, ever):
                missing.append(f"{entry.topic}-{entry.partition}@{entry.offset}")
        self.violations["I7"] += _some("committed, but not durable and inserted", missing)
        self._sample_revs()
        return replayed

    def _sample_revs(self) -> None:
        revs = self.observer.revs()
        fallen = [f"{key}: {self._revs[key]} to {rev}" for key, rev in revs.items() if rev < self._revs.get(key, 0)]
        self._revs.update(revs)
        self.violations["I8"] += _some("rev fell", fallen)
        two = [f"{row[:2]} at rev {row[2]}" for row in self.observer.keys_with_two_contents()]
        self.violations["I8"] += _some("two contents under one rev", two)


def _is_written(kind: str, event: Any, ever: set[str]) -> bool:
    if kind != "conversion" or event.adjusts or event.status != "completed":
        return True
    return conversion_id_of(event) in ever


def final_violations(
    ledger: Ledger,
    observer: Observer,
    config: AttributionConfig,
    *,
    stores: Iterable[int],
    watch: Watch | None = None,
) -> dict[str, list[str]]:
    """I1 to I9 after all workers have stopped; ``stores``: the workers whose directories hold the state."""
    expected, rows = expected_rows(ledger, config), observer.rows()
    found = {
        "I1": each_record_has_one_fate(ledger, observer),
        "I2": rows_equal_the_batch(rows, expected),
        "I3": no_key_twice(rows),
        "I4": sums_are_exact(rows),
        "I5": rollups_equal_the_batch(observer, expected),
        "I6": stores_agree(ledger, observer, stores),
        "I9": lag_is_zero(observer),
    }
    if watch is not None:
        watch.sample()
        found |= watch.violations
    return found


def each_record_has_one_fate(ledger: Ledger, observer: Observer) -> list[str]:
    """I1. Facts are the valid events, each once; dead letters are the malformed records, bytes unchanged."""
    valid = {e.event_id for e in ledger.touches()} | {e.event_id for e in ledger.conversions()}
    facts = observer.facts()
    found = _some("events lost", valid - facts.keys()) + _some("events from nowhere", facts.keys() - valid)
    found += _some("events doubled", [event for event, count in facts.items() if count > 1])
    spend = Counter(observer.spend_keys())
    found += _some("spend lost", ledger.spend_keys() - spend.keys())
    found += _some(
        "spend doubled or from nowhere", [k for k, n in spend.items() if n > 1 or k not in ledger.spend_keys()]
    )
    letters = {}
    for key, value, headers in observer.stream.dead_letters():
        place = (headers["dlq.topic"], int(headers["dlq.partition"]), int(headers["dlq.offset"]))
        letters[place] = (key or b"", value or b"", headers["dlq.reason"])
    malformed = ledger.malformed()
    found += _some("dead letters missing", malformed.keys() - letters.keys())
    found += _some("dead letters of valid records", letters.keys() - malformed.keys())
    changed = [place for place, letter in letters.items() if place in malformed and letter != malformed[place]]
    return found + _some("dead letters with other bytes or reason", changed)


def rows_equal_the_batch(rows: list[tuple[Key, Row]], expected: dict[Key, Row]) -> list[str]:
    """I2."""
    keys = {key for key, _ in rows}
    found = _some("rows missing", expected.keys() - keys) + _some("rows too many", keys - expected.keys())
    wrong = [f"{key}: {row} is not {expected[key]}" for key, row in rows if key in expected and row != expected[key]]
    return found + _some("rows wrong", wrong)


def no_key_twice(rows: list[tuple[Key, Row]]) -> list[str]:
    """I3."""
    return _some("keys doubled", [key for key, count in Counter(key for key, _ in rows).items() if count > 1])


def sums_are_exact(rows: list[tuple[Key, Row]]) -> list[str]:
    """I4."""
    return _some("sums off", [key for key, row in rows if sum(row.micros) != row.value_micros])


def rollups_equal_the_batch(observer: Observer, expected: dict[Key, Row]) -> list[str]:
    """I5, after the last dirty days are built. Without the table's own engine there is nothing to build from."""
    if not observer.is_replacing():
        return ["attributions has another engine: rollups cannot be built"]
    Roller(observer.client).drain()
    want, got = expected_sums(expected), observer.sums()
    found = _some("sums missing", want.keys() - got.keys()) + _some("sums too many", got.keys() - want.keys())
    wrong = [
        f"{key}: {got[key]} is not {want[key]}"
        for key in want.keys() & got.keys()
        if got[key][:2] != want[key][:2]
        or not math.isclose(got[key].conversions, want[key].conversions, rel_tol=1e-9, abs_tol=1e-9)
    ]
    return found + _some("sums wrong", wrong)


def stores_agree(ledger: Ledger, observer: Observer, stores: Iterable[int]) -> list[str]:
    """I6. Bytes of store and changelog are equal, and each journey consists of the events that were acknowledged."""
    durable, stored, want = observer.durable(), observer.stored(stores), ledger.events_of()
    rebuilt = observer.changelog
    found = _some("store without", rebuilt.keys() - stored.keys()) + _some(
        "store too many", stored.keys() - rebuilt.keys()
    )
    found += _some("store differs", [k for k in rebuilt.keys() & stored.keys() if rebuilt[k] != stored[k]])
    wrong = [c for c in want.keys() | durable.keys() if want.get(c, set()) != durable.get(c, set())]
    return found + _some("journeys wrong", wrong)


def lag_is_zero(observer: Observer) -> list[str]:
    """I9."""
    committed, ends = observer.committed(), observer.ends()
    return _some("not committed", [f"{tp}: {committed[tp]} of {ends[tp]}" for tp in ends if committed[tp] != ends[tp]])


def replay_changes_nothing(observer: Observer, replay: Callable[[], None]) -> list[str]:
    """I10. ``replay`` runs a worker to the end; the group is empty before and after."""
    before = _everything(observer)
    observer.rewind()
    replay()
    after = _everything(observer)
    return [f"a replay changed {name}" for name, content in before.items() if content != after[name]]


def _everything(observer: Observer) -> dict[str, Any]:
    observer.durable()
    letters = {(h["dlq.topic"], h["dlq.partition"], h["dlq.offset"]) for _, _, h in observer.stream.dead_letters()}
    return {
        "rows": sorted(observer.rows()),
        "facts": observer.facts(),
        "journeys": dict(observer.changelog),
        "spend": sorted(observer.spend_keys()),
        "dead letters": letters,
    }


def _some(what: str, found: Iterable[Any]) -> list[str]:
    """One violation for a kind of trouble, with its extent and the first examples."""
    items = sorted(map(str, found))
    return [f"{what}: {len(items)}, for instance {'; '.join(items[:_SHOWN])}"[:1_000]] if items else []
