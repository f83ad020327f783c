"""Where a click leads: the explanation of a conversion in the web UI and the API, or the same board narrowed down."""

from __future__ import annotations

from typing import Final

EXPLAIN: Final = (
    "Explain every credit",
    "${ui_url}/Explain?conversion_id=${__data.fields.conversion_id:percentencode}&model=${model:percentencode}",
)
EXPLAIN_JSON: Final = (
    "The same as JSON (the API asks for a key)",
    "${api_url}/api/v1/attribution/conversions/${__data.fields.conversion_id:percentencode}/explain?model=${model:percentencode}",
)


def narrowed(uid: str, variable: str, title: str) -> tuple[str, str]:
    """The dashboard ``uid`` with the clicked value in one variable; the others and the time stay."""
    return title, f"/d/{uid}?${{__all_variables}}&${{__url_time_range}}&var-{variable}=${{__value.raw:percentencode}}"
