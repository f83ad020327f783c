"""Counts of what was sent, for summaries and the truth file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loadgen.records import Record


@dataclass(slots=True)
class Tally:
    """``valid`` counts distinct valid events by kind; redeliveries and malformed records are counted apart."""

    records: int = 0
    value_bytes: int = 0
    duplicates: int = 0
    valid: Counter[str] = field(default_factory=Counter)
    malformed: Counter[str] = field(default_factory=Counter)

    def add(self, record: Record) -> None:
        """Count one record."""
        self.records += 1
        self.value_bytes += len(record.value)
        if record.is_duplicate:
            self.duplicates += 1
        elif record.expected_reason is not None:
            self.malformed[record.expected_reason] += 1
        else:
            self.valid[record.kind] += 1

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON, keys in a fixed order."""
        return {
            "records": self.records,
            "value_bytes": self.value_bytes,
            "duplicates": self.duplicates,
            "valid": dict(sorted(self.valid.items())),
            "malformed": dict(sorted(self.malformed.items())),
        }
