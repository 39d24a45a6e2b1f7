"""The transaction of a call with an Idempotency-Key: it stays open until the answer is written into it.

Loads nothing of the database, so that the gateway may load what settles calls.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from servicekit.database import Transaction

    Opening = Callable[[AsyncConnection], Awaitable[Transaction]]
    """Enters tenant or role on a connection, with the time that is left."""


class Held:
    """At most one open transaction: the call's last one.

    Those of one call that enter the same way, one after the other, are one: what a later one writes or reads
    commits together with the earlier ones, and one that is given up takes nothing of the others with it.
    Before another way is entered, and before anybody else is asked (`settle`), what is held is committed.
    """

    def __init__(self, mapped: Callable[[], AbstractContextManager[None]]) -> None:
        """`mapped` turns the driver's failures into refusals."""
        self._mapped = mapped
        self._stack: AsyncExitStack | None = None
        self._connection: AsyncConnection | None = None
        self._way: tuple[UUID | None, str] | None = None
        self._after: list[Callable[[], None]] = []
        self._inside = False
        self._over = False

    @property
    def takes(self) -> bool:
        """Whether the next transaction is to be held: one within another, or after the call, is its own."""
        return not (self._inside or self._over)

    @asynccontextmanager
    async def begin(
        self, engine: "AsyncEngine", way: "tuple[UUID | None, str]", enter: "Opening"
    ) -> AsyncIterator["Transaction"]:
        """A transaction that the end of the block leaves open; an exception in the block undoes it."""
        self._inside = True
        try:
            if self._way != way:
                await self._commit()
            if self._connection is not None:
                async with self._connection.begin_nested():
                    tx = await enter(self._connection)
                    yield tx
            else:
                async with AsyncExitStack() as stack:
                    connection = await stack.enter_async_context(engine.connect())
                    tx = await enter(connection)
                    yield tx
                    self._stack, self._connection, self._way = stack.pop_all(), connection, way
        finally:
            self._inside = False
        self._after += tx.after_commit

    async def settle(self) -> None:
        """Commits what is held: its effect is kept from now on, with or without an answer."""
        if not self._inside:
            await self._commit()

    async def finish(self, write: "Callable[[AsyncConnection], Awaitable[None]] | None") -> bool:
        """Ends the call: has the answer written into what is held, and commits. False: nothing is."""
        self._over = True
        if self._connection is None:
            return False
        try:
            if write is not None:
                with self._mapped():
                    await write(self._connection)
            await self._commit()
        finally:
            await self.drop()
        return True

    async def _commit(self) -> None:
        if self._connection is None:
            return
        after = self._after
        try:
            with self._mapped():
                await self._connection.commit()
        finally:
            await self.drop()
        for notify in after:
            notify()

    async def drop(self) -> None:
        """Undoes what is held and gives the connection back."""
        stack = self._stack
        self._stack = self._connection = self._way = None
        self._after = []
        if stack is not None:
            await stack.aclose()

    async def give_up(self) -> None:
        """Ends the call with nothing of what is held."""
        self._over = True
        await self.drop()


_current: ContextVar[Held | None] = ContextVar("held", default=None)


def current() -> Held | None:
    """What the running call holds; None when it came without a key."""
    return _current.get()


def bind(value: Held | None) -> None:
    """Makes `value` what the running task holds."""
    _current.set(value)


async def settle() -> None:
    """Before anybody outside the database is asked: no transaction may be open while one waits for them."""
    held = _current.get()
    if held is not None:
        await held.settle()
