"""The double of dead letters: letters and marks in lists."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from api.letter_store import LetterRows, Place, Retried, WholeLetter
from api.store import Unavailable


@dataclass(slots=True)
class MemoryLetters:
    """Letters that were put in; ``again`` holds topic, key and value of what was sent again."""

    letters: dict[Place, WholeLetter] = field(default_factory=dict)
    marked: set[tuple[str, int, int]] = field(default_factory=set)
    again: list[tuple[str, bytes | None, bytes | None]] = field(default_factory=list)
    is_whole: bool = True
    reason: str = ""

    def newest(self) -> LetterRows:
        """All of them."""
        self._ping()
        rows = [w.row._replace(retried=_origin(w) in self.marked) for w in self.letters.values()]
        return LetterRows(rows, self.is_whole)

    def letter(self, place: Place) -> WholeLetter | None:
        """One letter whole."""
        self._ping()
        return self.letters.get(place)

    def retry(self, places: frozenset[Place], reason: str, *, again: bool) -> Retried:
        """Keep what would be sent."""
        self._ping()
        meant = [w for p, w in sorted(self.letters.items()) if (p in places if places else w.row.reason == reason)]
        return self._sent([(w, w.key, w.value) for w in meant], again, sorted(places - self.letters.keys()))

    def retry_as(self, place: Place, key: bytes | None, value: bytes, *, again: bool) -> Retried:
        """The same for another value."""
        self._ping()
        found = self.letters.get(place)
        return Retried({}, 0, [place]) if found is None else self._sent([(found, key, value)], again, [])

    def _sent(
        self, items: list[tuple[WholeLetter, bytes | None, bytes | None]], again: bool, missing: list[Place]
    ) -> Retried:
        counts: Counter[str] = Counter()
        seen: set[tuple[str, int, int]] = set()
        passed = 0
        for letter, key, value in items:
            origin = _origin(letter)
            if origin in seen:
                continue
            seen.add(origin)
            if origin in self.marked and not again:
                passed += 1
                continue
            self.again.append((origin[0], key, value))
            counts[origin[0]] += 1
        self.marked |= seen
        return Retried(dict(counts), passed, missing)

    def _ping(self) -> None:
        if self.reason:
            raise Unavailable("kafka", self.reason)


def _origin(letter: WholeLetter) -> tuple[str, int, int]:
    return letter.row.topic, letter.row.partition, letter.row.offset
