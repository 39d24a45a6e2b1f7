"""What the edge does for browsers around each request: preflights, sessions in cookies, leave to read."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from gateway import problems
from gateway.cookies import Cookies, Session
from gateway.cors import SESSION_HEADER, Cors
from gateway.http import Answer, Request
from gateway.limits import Limiter
from servicekit.errors import AppError

Respond: TypeAlias = Callable[[Request], Awaitable[tuple[str, Answer | None]]]
"""Answers a request with its route's name; no answer when the client is gone."""

_PREFLIGHT = "(preflight)"
_REFUSED = "(refused)"


class Browsers:
    """Wraps the routes. Whoever is no browser pays for a few look-ups of headers."""

    def __init__(self, cors: Cors, cookies: Cookies, limiter: Limiter) -> None:
        self._cors = cors
        self._cookies = cookies
        self._limiter = limiter

    async def serve(self, request: Request, respond: Respond) -> tuple[str, Answer | None]:
        """The route's name and the answer."""
        preflight = self._cors.preflight(request)
        if preflight is not None:
            return _PREFLIGHT, preflight
        if b"cookie" not in request.headers and SESSION_HEADER not in request.headers:
            route, answer = await respond(request)
        else:
            route, answer = await self._in_session(request, respond)
        return route, self._cors.open_up(request, answer) if answer else None

    async def _in_session(self, request: Request, respond: Respond) -> tuple[str, Answer | None]:
        try:
            entered, session = await self._enter(request)
        except AppError as refusal:
            return _REFUSED, problems.answer(refusal, request.id)
        route, answer = await respond(entered)
        if answer is None or not (session.wanted or session.by_cookie):
            return route, answer
        return route, self._cookies.leave(request, route, session, answer)

    async def _enter(self, request: Request) -> tuple[Request, Session]:
        """As the cookies say. A page that may not act in a session counts as somebody unknown."""
        try:
            return self._cookies.enter(request)
        except AppError:
            await self._limiter.admit_anonymous(request)
            raise
