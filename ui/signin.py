"""The sign-in page: plain HTML, so that it is there at once, works with password managers, and no script sees a secret.

A user with a password or an API key becomes a session of the API; its text goes into a cookie that scripts cannot read.
"""

from __future__ import annotations

from base64 import b64encode
from html import escape
from http import HTTPStatus
from importlib import resources
from typing import Final
from urllib.parse import parse_qs, urlsplit

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from attribution_client import AttributionError, NotSignedIn, Problem
from ui import session
from ui.session import COOKIE, NOBODY

_LIMIT: Final = 10_000
_WRONG: Final = "User, password or key are wrong."


async def form(request: Request) -> Response:
    """The page; where the API asks nobody who they are, straight on."""
    goal = _goal(request, request.query_params.get("next", ""))
    try:
        is_open = await anyio.to_thread.run_sync(_asks_nobody)
    except AttributionError as error:
        return _page(request, goal, str(error), HTTPStatus.BAD_GATEWAY)
    if is_open:
        return _onward(request, goal, NOBODY, 86_400)
    return _page(request, goal, "", HTTPStatus.OK)


async def submit(request: Request) -> Response:
    """Sign in; on to where the visitor wanted to go."""
    if not _is_from_here(request):
        return _page(request, "", "Sign in on this page, not from another site.", HTTPStatus.FORBIDDEN)
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LIMIT:
            return _page(request, "", "That is too long for a password or key.", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    fields = parse_qs(body.decode("utf-8", "replace"))
    sent = {name: values[0] if name == "password" else values[0].strip() for name, values in fields.items()}
    goal = _goal(request, sent.get("next", ""))
    try:
        text, lasts_s = await anyio.to_thread.run_sync(_open, sent, request.client.host if request.client else "")
    except NotSignedIn:
        return _page(request, goal, _WRONG, HTTPStatus.UNAUTHORIZED)
    except Problem as error:
        return _page(request, goal, error.detail or error.title, HTTPStatus(error.status))
    except (AttributionError, ValueError) as error:
        return _page(request, goal, str(error), HTTPStatus.BAD_GATEWAY)
    return _onward(request, goal, text, lasts_s)


def _asks_nobody() -> bool:
    with session.new_client(session.api_url(), session.Credential()) as client:
        try:
            client.who()
        except NotSignedIn:
            return False
        return True


def _open(sent: dict[str, str], visitor: str) -> tuple[str, int]:
    """Text of a session, and the seconds it lasts. Attempts count for the visitor's address, not for this server's."""
    with session.new_client(session.api_url(), session.Credential(), visitor) as client:
        if sent.get("key"):
            client.login(key=sent["key"])
        else:
            client.login(user=sent.get("user", ""), password=sent.get("password", ""))
        return client.session, 12 * 3_600


def _is_from_here(request: Request) -> bool:
    origin = request.headers.get("origin", "")
    return urlsplit(origin).netloc == request.headers.get("host", "")


def _goal(request: Request, wanted: str) -> str:
    """An address below this application, whatever was wanted."""
    return f"{request.scope.get('root_path', '')}/{wanted.replace(chr(92), '/').lstrip('/')}"


def _onward(request: Request, goal: str, text: str, lasts_s: int) -> Response:
    answer = RedirectResponse(goal, 303)
    answer.set_cookie(
        COOKIE,
        text,
        max_age=lasts_s,
        path=request.scope.get("root_path", "") or "/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )
    return answer


def _page(request: Request, goal: str, wrong: str, status: HTTPStatus) -> Response:
    root = str(request.scope.get("root_path", ""))
    shown, icon = _text("signin.html"), b64encode(_text("icon.svg").encode()).decode()
    alert = f'<p class="wrong" role="alert">{escape(wrong)}</p>' if wrong else ""
    shown = shown.replace("{action}", escape(f"{root}/signin")).replace("{wrong}", alert)
    shown = shown.replace("{next}", escape(goal.removeprefix(root)))
    shown = shown.replace("{icon}", f"data:image/svg+xml;base64,{icon}")
    return HTMLResponse(shown, status, headers={"Cache-Control": "no-store"})


def _text(name: str) -> str:
    return (resources.files("ui") / name).read_text(encoding="utf-8")
