"""Work that is due at a time, as rows: scheduled in a transaction, claimed by lease, retried until done."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

import sqlalchemy as sa
from opentelemetry.trace import SpanKind
from sqlalchemy.dialects.postgresql import JSONB, insert

from servicekit import ids, telemetry
from servicekit.database import Database, Transaction
from servicekit.errors import AppError, Busy, DeadlineExceeded, Unavailable
from servicekit.telemetry import metrics
from servicekit.waiting import wait_for_any

TIMERS = sa.table(
    "timers",
    sa.column("id", sa.Uuid),
    sa.column("organization_id", sa.Uuid),
    sa.column("kind", sa.Text),
    sa.column("key", sa.Text),
    sa.column("due_at", sa.DateTime(timezone=True)),
    sa.column("leased_until", sa.DateTime(timezone=True)),
    sa.column("attempts", sa.Integer),
    sa.column("payload", JSONB),
    sa.column("traceparent", sa.Text),
)

_BATCH = 20
_SLOTS = 40
_LEASE = timedelta(seconds=60)
_POLL_SECONDS = 0.5
_BACKOFF_SECONDS = (1, 2, 5, 15, 60, 300)

_log = telemetry.logger(__name__)


@dataclass(frozen=True, slots=True)
class Timer:
    """One piece of due work. `attempts` counts this try as well."""

    id: UUID
    organization: UUID | None
    kind: str
    key: str
    due_at: datetime
    attempts: int
    payload: dict[str, Any]
    traceparent: str | None = None

    @property
    def tenant(self) -> UUID:
        """The organization of a timer that has one."""
        assert self.organization is not None, self.kind  # noqa: S101
        return self.organization


_INSERT = insert(TIMERS)
_SCHEDULE = _INSERT.on_conflict_do_update(
    index_elements=["kind", "key"],
    set_={
        "id": _INSERT.excluded.id,
        "due_at": _INSERT.excluded.due_at,
        "payload": _INSERT.excluded.payload,
        "leased_until": None,
        "attempts": 0,
    },
)
_CANCEL = sa.delete(TIMERS).where(
    TIMERS.c.kind == sa.bindparam("kind", type_=sa.Text), TIMERS.c.key == sa.bindparam("key", type_=sa.Text)
)
_DONE = sa.delete(TIMERS).where(TIMERS.c.id == sa.bindparam("id", type_=sa.Uuid))
_POSTPONE = (
    sa.update(TIMERS)
    .where(TIMERS.c.id == sa.bindparam("timer", type_=sa.Uuid))
    .values(due_at=sa.bindparam("until", type_=sa.DateTime(timezone=True)), leased_until=None)
)
_due = (
    sa.select(TIMERS.c.id)
    .where(
        TIMERS.c.due_at <= sa.func.now(),
        sa.or_(TIMERS.c.leased_until.is_(None), TIMERS.c.leased_until < sa.func.now()),
    )
    .order_by(TIMERS.c.due_at)
    .limit(sa.bindparam("most", type_=sa.Integer))
    .with_for_update(skip_locked=True)
    .cte("due")
)
_CLAIM = (
    sa.update(TIMERS)
    .where(TIMERS.c.id == _due.c.id)
    .values(leased_until=sa.func.now() + _LEASE, attempts=TIMERS.c.attempts + 1)
    .returning(TIMERS)
)


async def schedule(
    tx: Transaction, kind: str, key: str, due_at: datetime, payload: dict[str, Any] | None = None
) -> None:
    """Has the handler of `kind` called once `due_at` has passed; replaces a timer of that kind and key."""
    await tx.execute(
        _SCHEDULE,
        {
            "id": ids.new(),
            "organization_id": tx.organization,
            "kind": kind,
            "key": key,
            "due_at": due_at,
            "payload": payload or {},
            "attempts": 0,
            "traceparent": telemetry.header(),
        },
    )
    tx.after_commit.append(nudge)


async def cancel(tx: Transaction, kind: str, key: str) -> None:
    """Forgets a timer; nothing happens when there is none."""
    await tx.execute(_CANCEL, {"kind": kind, "key": key})


async def done(tx: Transaction, timer: Timer) -> bool:
    """Ends a timer in the transaction of its effect. False when it was replaced or ended meanwhile."""
    return bool((await tx.execute(_DONE, {"id": timer.id})).rowcount)


async def postpone(tx: Transaction, timer: Timer, until: datetime) -> None:
    """Has a timer come again."""
    await tx.execute(_POSTPONE, {"timer": timer.id, "until": until})


_wakers: list[Callable[[], None]] = []


def nudge() -> None:
    """Wakes the loop when it lives in this process."""
    for wake in _wakers:
        wake()


A = TypeVar("A")
Handlers = Mapping[str, Callable[[A, Timer], Awaitable[None]]]


class TimerLoop(Generic[A]):
    """Calls handlers for what is due. Loops share the work and take over leases that ran out.

    Slow work, like a partner that does not answer, keeps its own slot and nobody else waiting.
    """

    def __init__(self, app: A, db: Database, handlers: Handlers[A]) -> None:
        self._app = app
        self._db = db
        self._handlers = handlers
        self._running: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        _wakers.append(self._wake.set)

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set, and finishes what it has begun."""
        while not stop.is_set():
            most = min(_BATCH, _SLOTS - len(self._running))
            due = await self._claim(most)
            for timer in due:
                self._start(timer)
            if not due or len(due) < most:
                await wait_for_any(stop, self._wake, timeout=_POLL_SECONDS)
                self._wake.clear()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _start(self, timer: Timer) -> None:
        task = asyncio.create_task(self._handle(timer))
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if len(self._running) >= _SLOTS:
            self._wake.set()
        self._running.discard(task)

    async def _claim(self, most: int) -> list[Timer]:
        if most <= 0:
            return []
        try:
            async with self._db.begin_platform(reason="claim due timers") as tx:
                rows = (await tx.execute(_CLAIM, {"most": most})).mappings().all()
                for row in rows:
                    late = (tx.now - row["due_at"]).total_seconds()
                    metrics.TIMERS_LATE_SECONDS.labels(row["kind"]).set(late)
        except (Unavailable, Busy, DeadlineExceeded) as refusal:
            _log.warning("timers_wait", reason=refusal.reason)
            return []
        return [
            Timer(
                id=row["id"],
                organization=row["organization_id"],
                kind=row["kind"],
                key=row["key"],
                due_at=row["due_at"],
                attempts=row["attempts"],
                payload=row["payload"],
                traceparent=row["traceparent"],
            )
            for row in rows
        ]

    async def _handle(self, timer: Timer) -> None:
        with telemetry.server_span(f"timer {timer.kind}", timer.traceparent, kind=SpanKind.INTERNAL):
            try:
                await self._handlers[timer.kind](self._app, timer)
            except Exception as error:  # noqa: BLE001  # one of the three edges
                metrics.TIMERS_HANDLED.labels(timer.kind, "failed").inc()
                if isinstance(error, AppError):
                    _log.warning(
                        "timer_refused", kind=timer.kind, reason=error.reason, attempts=timer.attempts
                    )
                else:
                    _log.exception("timer_failed", kind=timer.kind, attempts=timer.attempts)
                await self._put_back(timer)
            else:
                metrics.TIMERS_HANDLED.labels(timer.kind, "done").inc()

    async def _put_back(self, timer: Timer) -> None:
        wait = _BACKOFF_SECONDS[min(timer.attempts, len(_BACKOFF_SECONDS)) - 1]
        try:
            async with self._db.begin_platform(reason="put a failed timer back") as tx:
                await postpone(tx, timer, tx.now + timedelta(seconds=wait))
        except (Unavailable, Busy, DeadlineExceeded):
            _log.warning("timer_lease_left", kind=timer.kind)
