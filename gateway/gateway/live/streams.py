"""The routes of realtime: tickets, and the stream over WebSocket and as server-sent events."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

import orjson
from redis.asyncio import Redis

from gateway.background import Work
from gateway.callers import Callers
from gateway.edge import Target
from gateway.http import JSON, Answer, Request, Send, safe
from gateway.limits import Limiter
from gateway.limits.headers import rate_limit_headers
from gateway.live import sse, websocket
from gateway.live.admission import Admission, refuse_strangers
from gateway.live.connection import Connection, Frame
from gateway.live.errors import TooManyTopics
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
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._callers = callers
        self._limiter = limiter
        self._admission = admission
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

    @property
    def handshake(self) -> Target:
        """What answers the handshake of a WebSocket."""
        return Target(STREAM_PATH, self._websocket)

    def background(self) -> list[tuple[str, Work]]:
        """What must run meanwhile, by name: revocation must outlive defects of the other."""
        return [("live_hub", self._hub.run), ("live_sweeper", self._registry.keep_swept)]

    async def drain(self) -> None:
        """Ends all streams; returns when they are over."""
        await self._registry.drain()

    async def _websocket(self, request: Request, _variables: Sequence[str]) -> Answer:
        """The stream as a WebSocket. Its topics begin when the client says so."""
        authority = await self._authority(request, await self._given(request, {"ticket"}))
        connection, session = self._begin(request, authority, "websocket", websocket.frame)

        async def stream(send: Send) -> None:
            await request.receive()
            limits = rate_limit_headers(request.note.standings)
            headers = [*limits, (b"x-request-id", request.id.encode())]
            await send({"type": "websocket.accept", "headers": headers})
            await websocket.serve(session, connection, request.receive, send)

        return Answer(_SWITCHED, stream=stream)

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
        request.scope["query_string"] = b""  # servers may log the address, and it holds the ticket
        given = await self._given(request, {"ticket", "topics", "last_event_id"})
        topics = list(dict.fromkeys(given.get("topics", ())))
        if not topics:
            raise InvalidRequest(violations=(Violation("/topics", "must name at least one topic"),))
        if len(topics) > self._settings.topics_per_connection:
            raise TooManyTopics
        last = request.headers.get(b"last-event-id", b"").decode("latin-1")
        places = sse.places(last or given.get("last_event_id", [""])[0], topics)
        authority = await self._authority(request, given)
        if request.method == "HEAD":
            return Answer(200, headers)
        connection, session = self._begin(request, authority, "sse", sse.Frames(topics))
        await _enter(session, topics, places)

        async def stream(send: Send) -> None:
            await sse.serve(
                connection, request.receive, send, heartbeat_seconds=self._settings.heartbeat_seconds
            )

        return Answer(200, headers, stream=stream)

    async def _given(self, request: Request, known: set[str]) -> Mapping[str, Sequence[str]]:
        """What the query says. The request is counted here: by its ticket, or as whoever it speaks for.

        Raises:
            AppError: the query cannot be read, credentials are refused, or a quota is used up.
        """
        try:
            given = parameters(request.query, known)
        except AppError:
            await self._limiter.admit_anonymous(request)
            raise
        if "ticket" in given:
            await self._limiter.admit_unvalidated(request)
        else:
            await self._callers.admitted(request)
        return given

    async def _authority(self, request: Request, given: Mapping[str, Sequence[str]]) -> Authority:
        """By ticket, or by the Authorization header; a HEAD uses no ticket up.

        `Origin` is not looked at, since a page of another site has neither: no browser sends the header by
        itself, nor our cookies with what such a page asks for (`SameSite=Strict`), and for a WebSocket no
        cookie counts at all.

        Raises:
            AppError: neither is good, or the caller's quota is spent.
        """
        if "ticket" not in given:
            return await self._bearer(request)
        find = self._tickets.look_up if request.method == "HEAD" else self._tickets.redeem
        authority = await find(given["ticket"][0])
        request.note.caller = authority.caller
        await self._limiter.admit(request, authority.caller)
        return authority

    async def _bearer(self, request: Request) -> Authority:
        caller = await self._callers.admitted(request)
        refuse_strangers(caller)
        return Authority(caller, await self._callers.until(request))

    def _begin(
        self, request: Request, authority: Authority, transport: str, frame: Frame
    ) -> tuple[Connection, Session]:
        """A connection with a place in the registry until the request is over, however it ends."""
        until = min(authority.until, self._clock() + self._settings.longest_seconds)
        connection = Connection(
            authority.caller, until, transport=transport, settings=self._settings, frame=frame
        )
        may_speak = partial(self._registry.may_speak, authority.caller)
        session = Session(connection, self._hub, self._admission, self._settings, may_speak)
        self._registry.add(connection, request.scope.get(ABORT, connection.hang_up))
        request.note.give_back = partial(self._end, connection, session)
        return connection, session

    def _end(self, connection: Connection, session: Session) -> None:
        session.end()
        self._registry.remove(connection)


async def _enter(session: Session, topics: Sequence[str], places: Mapping[str, Position]) -> None:
    """Begins the topics. Raises the first refusal when none begins."""
    refusals = [await session.subscribe(topic, places.get(topic)) for topic in topics]
    if refusals[0] is not None and all(refusals):
        raise refusals[0]
