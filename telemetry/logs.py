"""How programs log: lines for people, or one JSON object per line as ``log_line.schema.json`` describes it.

``configure`` is called once by a program's command. Everything goes to stderr: our own loggers, those of libraries, and
in JSON also warnings, what ``announce`` says, and the end by an exception that nobody caught.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import msgspec

from telemetry.redaction import Redactor
from telemetry.settings import TelemetrySettings
from telemetry.traceparent import current_ids

TEXT_FORMAT: Final = "[%(asctime)s] [%(process)d] [%(levelname)s] %(message)s"
_ANNOUNCED: Final = "attribution"
_encode: Final = msgspec.json.Encoder(enc_hook=str).encode


class JsonFormatter(logging.Formatter):
    """One record as one line of JSON; ``extra={"fields": {...}}`` becomes ``fields``."""

    def __init__(self, program: str, redact: Callable[[str], str]) -> None:
        super().__init__()
        self._program, self._redact = program, redact

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end; texts are redacted before they are quoted."""
        redact = self._redact
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "program": self._program,
            "pid": record.process or os.getpid(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        if found := current_ids():
            line["trace_id"], line["span_id"] = found
        if fields := getattr(record, "fields", None):
            line["fields"] = {n: redact(v) if isinstance(v, str) else v for n, v in fields.items()}
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            line["error"] = {
                "type": type(error).__name__,
                "message": redact(str(error)),
                "stack": redact(self.formatException(record.exc_info)),
            }
        return _encode(line).decode()


class TextFormatter(logging.Formatter):
    """One record as text for people; an exception takes more lines."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__(TEXT_FORMAT)
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """The text, without its end."""
        return self._redact(super().format(record))


def configure(program: str, settings: TelemetrySettings, *, level: str | None = None) -> None:
    """Set up logging of this process; ``level`` takes the place of the setting's.

    Handlers that are there are removed. In JSON nothing of ours writes other lines to stderr.
    """
    redact = Redactor.of_environment(os.environ)
    is_json = settings.log_format == "json"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(program, redact) if is_json else TextFormatter(redact))
    logging.root.handlers[:] = [handler]
    logging.root.setLevel((level or settings.log_level).upper())
    if is_json:
        logging.captureWarnings(capture=True)
        sys.excepthook = _log_end
        threading.excepthook = _log_end_of_thread


def is_json() -> bool:
    """Whether ``configure`` has set up JSON."""
    return any(isinstance(handler.formatter, JsonFormatter) for handler in logging.root.handlers)


def announce(text: str, *, level: int = logging.INFO, file: TextIO | None = None) -> None:
    """Say something to whoever started the program: a bare line, or in JSON a log line that no level holds back."""
    if not is_json():
        print(text, file=file or sys.stderr, flush=True)
        return
    logger = logging.getLogger(_ANNOUNCED)
    logger.setLevel(logging.DEBUG)
    logger.log(level, "%s", text)


def _log_end(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger(_ANNOUNCED).critical("ended by %s", kind.__name__, exc_info=(kind, error, trace))


def _log_end_of_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        name = args.thread.name if args.thread else "?"
        logging.getLogger(_ANNOUNCED).critical(
            "thread %s ended by %s",
            name,
            args.exc_type.__name__,
            exc_info=(args.exc_type, args.exc_value, args.exc_traceback),
        )
