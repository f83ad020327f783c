"""Server-sent events, as the HTML standard's ``EventSource`` reads them. Pure: bytes in, events out."""

from __future__ import annotations

import codecs
import re
from typing import Final, NamedTuple

from attribution_client.problems import ProtocolError

_LINE: Final = re.compile(r"\r\n|\n|\r")
_MAX_CHARS: Final = 16_000_000


class SentEvent(NamedTuple):
    """One event; ``id`` is the last one that the stream named."""

    id: str
    event: str
    data: str


class Parser:
    """Reads one connection.

    Args:
        last_id: of the connection before.
    """

    def __init__(self, last_id: str = "") -> None:
        self.last_id = last_id
        self.retry_ms: int | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._is_first = True
        self._skips_feed = False
        self._id = last_id
        self._event = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[SentEvent]:
        """Events that are complete with this part of the stream, however it was cut.

        Raises:
            ProtocolError: an event that is too large to be one.
        """
        text = self._decoder.decode(chunk)
        if self._is_first and text:
            text, self._is_first = text.removeprefix("\ufeff"), False
        if self._skips_feed and text:
            text, self._skips_feed = text.removeprefix("\n"), False
        if text.endswith("\r"):
            self._skips_feed = True  # its \n may be the next byte
        *lines, self._rest = _LINE.split(self._rest + text)
        events = [found for line in lines if (found := self._line(line)) is not None]
        if len(self._rest) + self._size > _MAX_CHARS:
            raise ProtocolError(f"an event of the stream has more than {_MAX_CHARS} characters")
        return events

    def _line(self, line: str) -> SentEvent | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._data.append(value)
                self._size += len(value)
            case "event":
                self._event = value
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if value.isascii() and value.isdigit():
                self.retry_ms = int(value)
        return None

    def _dispatch(self) -> SentEvent | None:
        self.last_id = self._id
        event, data = self._event or "message", self._data
        self._event, self._data, self._size = "", [], 0
        return SentEvent(self.last_id, event, "\n".join(data)) if data else None
