"""Request bodies, complete before anything is done with them, and content codings in both directions.

clickhouse-connect sends one lz4 (or zstd) frame *per block*, one behind the other: a decoder that stops after the
first frame loses rows silently. ``Decoder`` decodes all frames and raises ``BodyError`` when the last one is cut off.
Bodies above ``SPILL_BYTES`` wait in a temporary file.
"""

from __future__ import annotations

import gzip
import tempfile
import zlib
from typing import TYPE_CHECKING, Any, Final

import lz4.frame
import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO, Self

SPILL_BYTES: Final = 128 * 1024 * 1024
_PIECE: Final = 1024 * 1024


class BodyError(ValueError):
    """A body that cannot be decoded."""


#: What a frame decoder of each content coding is; all have ``decompress``, ``eof`` and ``unused_data``.
_FRAME_DECODERS: Final[dict[str, Callable[[], Any]]] = {
    "gzip": lambda: zlib.decompressobj(wbits=31),
    "deflate": zlib.decompressobj,
    "lz4": lz4.frame.LZ4FrameDecompressor,
    "zstd": lambda: zstandard.ZstdDecompressor().decompressobj(),
}
_ENCODERS: Final[dict[str, Callable[[Any], bytes]]] = {
    "zstd": lambda data: zstandard.ZstdCompressor(level=1).compress(data),
    "lz4": lz4.frame.compress,
    "gzip": lambda data: gzip.compress(data, compresslevel=3),
    "deflate": lambda data: zlib.compress(data, level=3),
}


class Decoder:
    """Decodes a stream of any number of frames, handed over in any pieces."""

    def __init__(self, coding: str) -> None:
        """Args: coding: A ``Content-Encoding``; ``""`` and ``identity`` pass data through.

        Raises:
            BodyError: A coding that is not known here.
        """
        self._make = _FRAME_DECODERS.get(coding)
        if self._make is None and coding not in ("", "identity"):
            raise BodyError(f"Content-Encoding {coding!r} is not supported; send one of {', '.join(_FRAME_DECODERS)}")
        self._coding = coding
        self._frame: Any = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What ``data`` completes, decoded.

        Raises:
            BodyError: Not data of this coding.
        """
        if self._make is None:
            yield data
            return
        while data:
            if self._frame is None:
                self._frame = self._make()
            try:
                yield self._frame.decompress(data)
            except (zlib.error, RuntimeError, zstandard.ZstdError) as error:
                raise BodyError(f"the body is not valid {self._coding}: {error}") from error
            if not self._frame.eof:
                return
            data, self._frame = self._frame.unused_data or b"", None

    def finish(self) -> None:
        """Check that the last frame was whole.

        Raises:
            BodyError: It was not.
        """
        if self._frame is not None:
            raise BodyError(f"the {self._coding} body ends inside a frame")


def encode(data: bytes | memoryview, accepted: str) -> tuple[bytes | memoryview, str]:
    """``data`` in the best coding that an ``Accept-Encoding`` allows, and the coding's name (``""``: unchanged)."""
    wanted = {part.split(";")[0].strip().lower() for part in accepted.split(",") if ";q=0" not in part.replace(" ", "")}
    for coding, compress in _ENCODERS.items():
        if coding in wanted:
            return compress(data), coding
    return data, ""


class Body:
    """Decoded bytes of one request."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._file: IO[bytes] | None = None
        self.size = 0

    def write(self, data: bytes) -> None:
        """Append."""
        if not data:
            return
        self.size += len(data)
        if self._file is not None:
            self._file.write(data)
            return
        self._pieces.append(data)
        if self.size > SPILL_BYTES:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
            self._file.writelines(self._pieces)
            self._pieces = []

    def read(self, limit: int | None = None) -> bytes:
        """The first ``limit`` bytes, or all."""
        if self._file is not None:
            self._file.seek(0)
            return self._file.read(-1 if limit is None else limit)
        if len(self._pieces) == 1 and (limit is None or limit >= self.size):
            return self._pieces[0]
        taken, total = [], 0
        for piece in self._pieces:
            taken.append(piece)
            total += len(piece)
            if limit is not None and total >= limit:
                break
        return b"".join(taken)[:limit]

    def pieces(self, start: int = 0) -> Iterator[bytes]:
        """Everything from byte ``start`` on, in pieces of at most a mebibyte or as they came."""
        if self._file is not None:
            self._file.seek(start)
            while piece := self._file.read(_PIECE):
                yield piece
            return
        for piece in self._pieces:
            if start < len(piece):
                yield piece[start:] if start else piece
            start = max(0, start - len(piece))

    def close(self) -> None:
        """Give back memory and the temporary file."""
        self._pieces = []
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
