"""The routes of realtime: tickets, and the stream over WebSocket and as server-sent events."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

import orjson
from redis.asyncio import Redis

from gateway import problems
from gateway.api_keys import Callers
from gateway.edge import Target
from gateway.http import JSON, Answer, Receive, Request, Scope, Send, safe
from gateway.limits import Limiter
from gateway.live import sse, websocket
from gateway.live.admission import Admission, refuse_strangers
from gateway.live.connection import Connection, Frame
from gateway.live.errors import OriginNotAllowed, TooManyTopics
from gateway.live.hub import Hub
from gateway.live.registry import Registry
from gateway.live.session import Session
from gateway.live.settings import LiveSettings
from gateway.live.store import Position, Store
from gateway.live.tickets import Authority, Tickets
from gateway.live.upgrading import ABORT, STREAM_PATH
from gateway.queries import parameters
from gateway.revocations import Revocations
from servicekit.errors import AppError, InvalidRequest, Violation

TICKETS_PATH = f"{STREAM_PATH}/tickets"

_CREATED, _SWITCHED = 201, 101

AllowsOrigin = Callable[[str], bool]
"""Whether pages of an origin may open streams with nothing but what their browser adds by itself."""


def no_origin(_origin: str) -> bool:
    """Allows none but the gateway's own host."""
    return False


class Streams:
    """What clients see of realtime."""

    def __init__(
        self,
        settings: LiveSettings,
        redis: "Redis | None",
        *,
        callers: Callers,
        limiter: Limiter,
        revocations: Revocations,
        admission: Admission,
        trusted_proxies: int = 0,
        allows_origin: AllowsOrigin = no_origin,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._callers = callers
        self._limiter = limiter
        self._admission = admission
        self._trusted_proxies = trusted_proxies
        self._allows_origin = allows_origin
        self._clock = clock
        self._tickets = Tickets(redis, seconds=settings.ticket_seconds, clock=clock)
        self._hub = Hub(redis, Store(redis, settings), check_seconds=settings.check_seconds)
        self._registry = Registry(settings, revocations, clock=clock)

    def targets(self) -> list[tuple[str, str, Target]]:
        """Method, template and target of the routes over HTTP."""
        return [
            ("POST", TICKETS_PATH, Target(TICKETS_PATH, self._issue)),
            ("GET", STREAM_PATH, Target(STREAM_PATH, self._events)),
        ]

    async def run(self) -> None:
        """Listens to Redis, and ends what may not go on. Ends by being cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hub.run())
            group.create_task(self._registry.keep_swept())

    async def drain(self) -> None:
        """Ends all streams; returns when they are over."""
        await self._registry.drain()

    async def websocket(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Serves one WebSocket to its end; the status that its handshake was answered with."""
        request = Request.of({**scope, "method": "GET"}, receive, trusted_proxies=self._trusted_proxies)
        scope["query_string"] = b""  # servers may log the address, and it holds the ticket
        connection = session = None
        try:
            authority = await self._authority(request, parameters(request.query, {"ticket"}))
            connection, session = self._begin(scope, authority, "websocket", websocket.frame)
            await receive()
            headers = [(b"x-request-id", request.id.encode())]
            await send({"type": "websocket.accept", "headers": headers})
            await websocket.serve(session, connection, receive, send)
        except AppError as refusal:
            await _refuse(problems.answer(refusal, request.id), request.id, send)
            return refusal.kind.http_status
        finally:
            self._end(connection, session)
        return _SWITCHED

    async def _issue(self, request: Request, _variables: Sequence[str]) -> Answer:
        """A ticket for whoever the Authorization header speaks for."""
        parameters(request.query)
        ticket, ends = await self._tickets.issue(await self._bearer(request))
        shown = datetime.fromtimestamp(int(ends), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = orjson.dumps({"ticket": ticket, "expires_at": shown})
        return Answer(_CREATED, safe([(b"content-type", JSON)]), body)

    async def _events(self, request: Request, _variables: Sequence[str]) -> Answer:
        """The stream as server-sent events. It begins when at least one topic does."""
        headers = safe([(b"content-type", sse.CONTENT_TYPE), (b"x-accel-buffering", b"no")])
        request.scope["query_string"] = b""  # as above
        given = parameters(request.query, {"ticket", "topics", "last_event_id"})
        topics = list(dict.fromkeys(given.get("topics", ())))
        if request.method == "HEAD":
            return Answer(200, headers)
        if not topics:
            raise InvalidRequest(violations=(Violation("/topics", "must name at least one topic"),))
        if len(topics) > self._settings.topics_per_connection:
            raise TooManyTopics
        last = request.headers.get(b"last-event-id", b"").decode("latin-1")
        places = sse.places(last or given.get("last_event_id", [""])[0], topics)
        authority = await self._authority(request, given)
        connection, session = self._begin(request.scope, authority, "sse", sse.Frames(topics))
        try:
            await _enter(session, topics, places)
        except BaseException:
            self._end(connection, session)
            raise

        async def stream(send: Send) -> None:
            try:
                await sse.serve(
                    connection, request.receive, send, heartbeat_seconds=self._settings.heartbeat_seconds
                )
            finally:
                self._end(connection, session)

        return Answer(200, headers, stream=stream)

    async def _authority(self, request: Request, given: Mapping[str, Sequence[str]]) -> Authority:
        """By ticket, or by the Authorization header, which no browser sends by itself.

        Raises:
            AppError: neither is good, or a page of another site opens the stream with cookies alone.
        """
        if "ticket" in given:
            await self._limiter.admit_unvalidated(request.address)
            return await self._tickets.redeem(given["ticket"][0])
        origin = request.headers.get(b"origin", b"").decode("latin-1")
        own = urlsplit(origin).netloc.encode("latin-1") == request.headers.get(b"host", b"")
        if origin and b"authorization" not in request.headers and not own and not self._allows_origin(origin):
            raise OriginNotAllowed
        return await self._bearer(request)

    async def _bearer(self, request: Request) -> Authority:
        header = request.headers.get(b"authorization")
        caller = await self._callers.caller(header, request.address)
        request.note.caller = caller
        await self._limiter.admit(request, caller)
        refuse_strangers(caller)
        return Authority(caller, await self._callers.until(header, request.address))

    def _begin(
        self, scope: Scope, authority: Authority, transport: str, frame: Frame
    ) -> tuple[Connection, Session]:
        until = min(authority.until, self._clock() + self._settings.longest_seconds)
        connection = Connection(
            authority.caller, until, transport=transport, settings=self._settings, frame=frame
        )
        self._registry.add(connection, scope.get(ABORT, connection.hang_up))
        return connection, Session(connection, self._hub, self._admission, self._settings)

    def _end(self, connection: Connection | None, session: Session | None) -> None:
        if connection is not None and session is not None:
            session.end()
            self._registry.remove(connection)


async def _enter(session: Session, topics: Sequence[str], places: Mapping[str, Position]) -> None:
    """Begins the topics. Raises the first refusal when none begins."""
    refusals = [await session.subscribe(topic, places.get(topic)) for topic in topics]
    if refusals[0] is not None and all(refusals):
        raise refusals[0]


async def _refuse(answer: Answer, request_id: str, send: Send) -> None:
    """Answers a handshake with a problem (the ASGI extension "websocket.http.response")."""
    headers = [*answer.headers, (b"x-request-id", request_id.encode())]
    await send({"type": "websocket.http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": answer.body})
