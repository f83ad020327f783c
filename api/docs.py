"""``/docs`` without internet: Swagger UI from files of this package, and an OpenAPI that documents every problem."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastapi.openapi.utils import get_openapi
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from accounts.roles import Scope as Allowed
from api.access import AccessTable, public
from api.event_schemas import EVENTS
from api.parameters import problems
from api.responses import ProblemBody

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request

# addresses are relative, so that the page also works behind a proxy that adds a prefix
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>realtime-attribution API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="static/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>This page needs JavaScript. The description itself is at <a href="openapi.json">openapi.json</a>.</noscript>
<script src="static/swagger-ui-bundle.js"></script>
<script src="static/docs.js"></script>
</body>
</html>
"""

TAGS: Final = [
    {"name": "attribution", "description": "Models, calculations and stored credits."},
    {
        "name": "analytics",
        "description": "Performance of channels and campaigns, paths to conversion, customer journeys.",
    },
    {"name": "data", "description": "Freshness and completeness."},
    {"name": "collector", "description": "For SDKs of Segment, RudderStack and GA4."},
    {"name": "runs", "description": "Sets of results, one of which is shown."},
    {"name": "auth", "description": "Sessions, tokens and keys."},
    {"name": "health", "description": "For load balancers and people who wonder."},
]


def add_docs(app: FastAPI) -> None:
    """Serve ``/docs``, ``/static`` and a description with the problem schema in it."""

    @public
    async def docs_page(request: Request) -> HTMLResponse:  # noqa: ARG001 - the framework's signature
        return HTMLResponse(_PAGE)

    app.add_route("/docs", docs_page, include_in_schema=False)
    app.mount("/static", StaticFiles(packages=[("api", "static")]), name="static")
    app.openapi = lambda: describe(app)  # type: ignore[method-assign] # FastAPI's documented way to extend it


_SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key `id.secret`, or a JSON Web Token."},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key `id.secret`."},
    "write_key": {"type": "http", "scheme": "basic", "description": "A key `id.secret` as user name, no password."},
    "api_secret": {"type": "apiKey", "in": "query", "name": "api_secret", "description": "A key, as GA4 sends it."},
    "session": {"type": "apiKey", "in": "cookie", "name": "attribution_session", "description": "Of `login`."},
}
#: Taken only where events are sent.
_OF_EVENTS: Final = frozenset({"write_key", "api_secret"})


#: Where an answer leads: operation, status, the operation that takes it, and what that one is given.
_LINKS: Final = (
    ("list_results", "200", "get_explanation", {"conversion_id": "$response.body#/results/0/conversion_id"}),
    ("post_key", "201", "delete_key", {"key_id": "$response.body#/shown/id"}),
    ("list_keys", "200", "delete_key", {"key_id": "$response.body#/keys/0/id"}),
)


def _add_links(schema: dict[str, Any]) -> None:
    operations = {
        operation["operationId"]: operation for path in schema["paths"].values() for operation in path.values()
    }
    for source, status, target, given in _LINKS:
        links = operations[source]["responses"][status].setdefault("links", {})
        links[target] = {"operationId": operations[target]["operationId"], "parameters": given}


def _add_security(schema: dict[str, Any], table: AccessTable) -> None:
    """Say of every operation what it asks for, and the three problems that come of it."""
    schema.setdefault("components", {})["securitySchemes"] = _SCHEMES
    for method, access in table.all():
        operation = schema["paths"].get(access.template.replace(":path}", "}"), {}).get(method.lower())
        if operation is None or access.is_public:
            continue
        ways = _SCHEMES if access.scope is Allowed.INGEST else _SCHEMES.keys() - _OF_EVENTS
        operation["security"] = [{name: []} for name in _SCHEMES if name in ways]
        if access.scope is not None:
            operation["x-required-scope"] = access.scope.value
        for status, answer in problems(400, 401, 403, 429, 503).items():
            operation["responses"].setdefault(str(status), answer)


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI description, made once per application."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=app.description,
            routes=app.routes,
            tags=app.openapi_tags,
            license_info=app.license_info,
        )
        problem = ProblemBody.model_json_schema(ref_template="#/components/schemas/{model}")
        parts = problem.pop("$defs", {})
        schema.setdefault("components", {}).setdefault("schemas", {}).update(
            {**parts, "ProblemBody": problem, **{str(event["title"]): event for event in EVENTS.values()}}
        )
        _add_security(schema, app.state.access)
        _add_links(schema)
        app.openapi_schema = schema
    return app.openapi_schema
