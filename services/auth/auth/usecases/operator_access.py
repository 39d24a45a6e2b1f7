"""Break-glass: operators' access to organizations, from its reason to its end. They see all of it."""

from uuid import UUID

from auth.app import App
from auth.domain import operators
from auth.domain.account_mails import MailKind
from auth.domain.audit import PLATFORM_CHAIN, Action, Author
from auth.domain.members import OrganizationNotFound
from auth.domain.operator_access import (
    AccessEnd,
    FoundOrganization,
    OperatorAccess,
    OperatorAccessNotFound,
    Wish,
    refuse_access,
)
from auth.store import audit
from auth.store import members as member_store
from auth.store import operator_accesses as store
from auth.store import operator_sessions as session_store
from auth.store import operators as operator_store
from auth.store import people as people_store
from auth.usecases.account_mails import write_to
from auth.usecases.operator_sessions import END_OPERATOR_ACCESS, end_access, page_id
from servicekit import ids, timers
from servicekit.database import Transaction
from servicekit.errors import Unauthenticated
from servicekit.paging import Page

_BEFORE_ALL, _AFTER_ALL = UUID(int=0), UUID(int=2**128 - 1)


async def begin_access(
    app: App, operator_id: UUID, session_id: UUID, organization_id: UUID, wish: Wish, *, by: Author
) -> tuple[OperatorAccess, str, int]:
    """Access of the operator to the organization, with a token of it and how many seconds that holds.

    The owners are mailed, and both audit logs say it, in the same transaction.

    Raises:
        Unauthenticated: the session is over, or not theirs.
        PermissionDenied: access that writes is for admins.
        FreshAuthenticationRequired: the last code of the authenticator app is too old, or there was none.
        OrganizationNotFound: there is none, or it is a sandbox.
    """
    idle = operators.lifetimes(app.lifetimes.access_token).idle
    async with app.db.begin_platform(reason="give an operator access to an organization") as tx:
        session = await session_store.lock_session(tx, session_id)
        operator = await operator_store.get_operator(tx, operator_id)
        if session is None or session.user_id != operator_id or not session.holds(now=tx.now, idle=idle):
            raise Unauthenticated
        if operator is None or not operator.active:
            raise Unauthenticated
        refuse_access(operator.role, session, write=wish.write, now=tx.now)
        if await store.find_organization(tx, organization_id) is None:
            raise OrganizationNotFound
        access = OperatorAccess(
            organization_id=organization_id,
            id=ids.new(),
            operator_id=operator.id,
            operator_name=operator.display_name,
            session_id=session.id,
            reason=wish.reason,
            ticket=wish.ticket,
            write=wish.write,
            began_at=tx.now,
            ends_at=tx.now + wish.length,
        )
        await store.insert_access(tx, access)
        await timers.schedule(tx, END_OPERATOR_ACCESS, str(access.id), access.ends_at)
        await _tell_owners(tx, access)
        await _record_begin(tx, access, by=by)
        token, seconds = _token_of(app, access, tx)
    return access, token, seconds


async def renew_access(app: App, operator_id: UUID, access_id: UUID) -> tuple[str, int]:
    """Another token of the operator's own access, and how many seconds it holds; its end stays where it is.

    Raises:
        OperatorAccessNotFound: there is none, or it is somebody else's.
        OperatorAccessOver: it has ended, whoever ended it.
    """
    async with app.db.begin_platform(reason="renew an operator's access to an organization") as tx:
        return _token_of(app, await _lock_own(tx, operator_id, access_id), tx)


async def end_own_access(app: App, operator_id: UUID, access_id: UUID, *, by: Author) -> None:
    """Ends the operator's own access. One that is over stays as it is. Raises OperatorAccessNotFound."""
    async with app.db.begin_platform(reason="end an operator's access to an organization") as tx:
        access = await _lock_own(tx, operator_id, access_id)
        await end_access(tx, access, AccessEnd.OPERATOR, by=by)


async def end_access_to(app: App, organization_id: UUID, access_id: UUID, *, by: Author) -> None:
    """Ends an operator's access to the organization, as it wishes. One that is over stays as it is.

    Raises:
        OperatorAccessNotFound: there is none, or it is to another organization.
    """
    async with app.db.begin_platform(reason="end an operator's access, as its organization wishes") as tx:
        access = await store.lock_access(tx, access_id)
        if access is None or access.organization_id != organization_id:
            raise OperatorAccessNotFound
        await end_access(tx, access, AccessEnd.ORGANIZATION, by=by)


async def list_access_to(app: App, organization_id: UUID, page: Page) -> tuple[list[OperatorAccess], str]:
    """Every access there was to the organization, the newest first, and the token of the next page.

    Raises:
        InvalidPageToken: the token is none of this list.
    """
    async with app.db.begin(organization_id) as tx:
        return await _page(tx, organization_id, page)


async def list_all_access(
    app: App, organization_id: UUID | None, page: Page
) -> tuple[list[OperatorAccess], str]:
    """The same for operators: to one organization, or to all. Raises InvalidPageToken."""
    async with app.db.begin_platform(reason="list the access of operators to organizations") as tx:
        return await _page(tx, organization_id, page)


async def search_organizations(app: App, query: str, page: Page) -> tuple[list[FoundOrganization], str]:
    """Organizations by a part of their name or by their id, in the order in which they were made.

    Raises:
        InvalidPageToken: the token is none of this list.
    """
    after = page_id(page, _BEFORE_ALL)
    async with app.db.begin_platform(reason="find organizations for an operator") as tx:
        try:
            wanted = ids.parse("org", query.strip(), OrganizationNotFound)
        except OrganizationNotFound:
            found = await store.search_organizations(tx, query.strip(), after=after, most=page.size + 1)
        else:
            one = await store.find_organization(tx, wanted)
            found = [one] if one else []
    shown = found[: page.size]
    return shown, page.next_token([str(shown[-1].id)]) if len(found) > page.size else ""


async def _lock_own(tx: Transaction, operator_id: UUID, access_id: UUID) -> OperatorAccess:
    access = await store.lock_access(tx, access_id)
    if access is None or access.operator_id != operator_id:
        raise OperatorAccessNotFound
    return access


def _token_of(app: App, access: OperatorAccess, tx: Transaction) -> tuple[str, int]:
    """By the clock of a transaction that has the access locked. Raises OperatorAccessOver."""
    most = operators.lifetimes(app.lifetimes.access_token).access_token
    lifetime = access.token_lifetime(most, now=tx.now)
    token = app.keyring.break_glass_token(access, now=tx.now, lifetime=lifetime)
    return token, int(lifetime.total_seconds())


async def _page(
    tx: Transaction, organization_id: UUID | None, page: Page
) -> tuple[list[OperatorAccess], str]:
    before = page_id(page, _AFTER_ALL)
    found = await store.list_accesses(tx, organization_id, before=before, most=page.size + 1)
    shown = found[: page.size]
    return shown, page.next_token([str(shown[-1].id)]) if len(found) > page.size else ""


async def _tell_owners(tx: Transaction, access: OperatorAccess) -> None:
    for user_id in await member_store.list_owners(tx, access.organization_id):
        owner = await people_store.get_user(tx, user_id)
        if owner is not None:
            await write_to(tx, MailKind.OPERATOR_ACCESS, owner, access_id=access.id)


async def _record_begin(tx: Transaction, access: OperatorAccess, *, by: Author) -> None:
    said: dict[str, str | int | bool | list[str] | None] = {
        "reason": access.reason,
        "ticket": access.ticket,
        "minutes": int(access.length.total_seconds()) // 60,
        "write": access.write,
        "operator": ids.show("opr", access.operator_id),
    }
    target, action = ids.show("acc", access.id), Action.OPERATOR_ACCESS_BEGUN
    platform = said | {"organization": ids.show("org", access.organization_id)}
    await audit.record(tx, PLATFORM_CHAIN, by, action, target=target, after=platform)
    await audit.record(tx, access.organization_id, by, action, target=target, after=said)
