"""Streamlit's log lines go the way of all others: to the handlers of the root logger, in the form of the program.

Streamlit gives each of its loggers, and uvicorn's too, a handler and a form of its own, now and whenever one is made.
"""

from __future__ import annotations

import logging

from streamlit import logger as streamlit_logger

_HANDLER = "streamlit_console_handler"
#: A line per request, addresses with customers in them included: the API counts requests and logs none.
_ACCESS = "uvicorn.access"


def through_root() -> None:
    """From now on; call it once, before the server starts."""
    streamlit_logger.setup_formatter = _to_root
    streamlit_logger.update_formatter()


def _to_root(logger: logging.Logger) -> None:
    if (own := logger.__dict__.pop(_HANDLER, None)) is not None:
        logger.removeHandler(own)
    logger.propagate = logger.name != _ACCESS
