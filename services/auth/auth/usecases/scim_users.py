"""People as a provider manages them by SCIM: their account, their membership, and its end.

All are platform transactions, since accounts belong to no tenant: the connection, which its token named, says
whose people they are about. Locks are taken in this order: address, account, organization.
"""

from collections.abc import Callable
from uuid import UUID

from auth.app import App
from auth.domain.audit import PLATFORM_CHAIN, Action, Author, Values
from auth.domain.connections import Connection
from auth.domain.scim import ScimUser, ScimUserNotFound, UserWish, refuse_foreign
from auth.store import audit
from auth.store import members as member_store
from auth.store import people as people_store
from auth.store import registrations as registration_store
from auth.store import scim_users as store
from auth.store.scim_filters import Matching
from auth.usecases.scim_members import dismiss, enrol
from auth.usecases.scim_names import less_what_is_theirs, rename, why_out_of_reach
from servicekit import ids
from servicekit.database import Transaction

_REASON = "a provider manages people by SCIM"
_LANGUAGE = "en"


async def create_user(app: App, connection: Connection, wish: UserWish, *, by: Author) -> ScimUser:
    """Has the connection manage somebody: the account of the address, else a new one without a password.

    Whoever is a member already stays what they are; whose name is not the connection's to say keeps it.

    Raises:
        ScimAddressNotOfDomain: the address is of no verified domain of the connection.
        ScimUserNameTaken: the connection manages them already.
        PlanLimitReached, ScimRoleGone: they cannot become a member.
        ScimOwnerKept: they are to be inactive, and own the organization.
    """
    refuse_foreign(connection, wish.email)
    async with app.db.begin_platform(reason=_REASON) as tx:
        await registration_store.lock_address(tx, wish.email)
        account = await people_store.lock_user_of_address(tx, wish.email)
        await member_store.lock_organization(tx, connection.organization_id)
        user_id = account.id if account else await _open_account(tx, wish)
        id_ = ids.new()
        await store.insert_user(tx, connection, id_, user_id, external_id=wish.external_id)
        if (
            account is not None
            and account.display_name != wish.display_name
            and await why_out_of_reach(tx, connection, user_id) is None
        ):
            await people_store.save_display_name(tx, user_id, wish.display_name)
        was_member, keys = await _become(app, tx, connection, id_, active=wish.active)
        user = await _find(tx, connection, id_)
        after = _said(user) | {"new_account": account is None, "was_member": was_member} | keys
        await _record(tx, connection, user, by, Action.SCIM_USER_CREATED, after=after)
    return user


async def get_user(app: App, connection: Connection, id_: UUID) -> ScimUser:
    """Somebody whom the connection manages.

    Raises:
        ScimUserNotFound: there is no such person.
    """
    async with app.db.begin_platform(reason=_REASON) as tx:
        return await _find(tx, connection, id_)


async def list_users(
    app: App, connection: Connection, matching: Matching, *, skip: int, most: int
) -> tuple[list[ScimUser], int]:
    """Those who fit, in the order in which they came, and how many fit in all.

    Raises:
        InvalidFilterException: the filter asks for what is not offered.
    """
    async with app.db.begin_platform(reason=_REASON) as tx:
        found = await store.list_users(tx, connection, matching, skip=skip, most=most) if most else []
        return found, await store.count_users(tx, connection, matching)


async def change_user(
    app: App, connection: Connection, id_: UUID, change: Callable[[ScimUser], UserWish], *, by: Author
) -> ScimUser:
    """Makes somebody what `change` says of what they are; whatever it raises changes nothing.

    Who they are called, where, and that they come back, is the provider's to say for addresses of its domains
    only, and of people who own nothing here and belong nowhere else: other names are let go. That they go is
    always the organization's to say. Whoever moves is told at the old address, which can take it back.

    Raises:
        ScimUserNotFound: there is no such person.
        ScimAddressNotOfDomain: the old or the new address is of no verified domain of the connection.
        ScimUserNameTaken: another account has the new address.
        PlanLimitReached, ScimRoleGone: they cannot become a member again.
        ScimOwnerKept: they are to be inactive, or elsewhere, and own the organization.
        ScimPersonShared: they are to be elsewhere, and belong to other organizations as well.
    """
    async with app.db.begin_platform(reason=_REASON) as tx:
        before = await _lock(tx, connection, id_)
        wish = await less_what_is_theirs(tx, connection, before, change(before))
        if wish == before.wish:
            return before
        if (wish.email, wish.display_name) != (before.email, before.display_name):
            await rename(app, tx, connection, before, wish)
        if wish.active and not before.active:
            refuse_foreign(connection, wish.email)
        await store.save_user(tx, connection, id_, wish.external_id)
        _, keys = await _become(app, tx, connection, id_, active=wish.active)
        user = await _find(tx, connection, id_)
        if user.email != before.email:
            target = ids.show("usr", user.user_id)
            await audit.record(tx, PLATFORM_CHAIN, by, Action.EMAIL_CHANGED, target=target)
        await _record(
            tx,
            connection,
            user,
            by,
            Action.SCIM_USER_CHANGED,
            before=_said(before),
            after=_said(user) | {"renamed": user.display_name != before.display_name} | keys,
        )
    return user


async def delete_user(
    app: App, connection: Connection, id_: UUID, check: Callable[[ScimUser], None], *, by: Author
) -> None:
    """Ends somebody's membership and its sessions; their account stays theirs. Unless `check` raises.

    Raises:
        ScimUserNotFound: there is no such person (any more).
        ScimOwnerKept: they own the organization.
    """
    async with app.db.begin_platform(reason=_REASON) as tx:
        user = await _lock(tx, connection, id_)
        check(user)
        keys = _kept(await dismiss(tx, connection, user))
        await store.delete_user(tx, connection, id_)
        await _record(tx, connection, user, by, Action.SCIM_USER_DELETED, before=_said(user) | keys)


async def _lock(tx: Transaction, connection: Connection, id_: UUID) -> ScimUser:
    found = await _find(tx, connection, id_)
    await people_store.lock_user(tx, found.user_id)
    await member_store.lock_organization(tx, connection.organization_id)
    return await _find(tx, connection, id_)


async def _find(tx: Transaction, connection: Connection, id_: UUID) -> ScimUser:
    found = await store.find_user(tx, connection, id_)
    if found is None:
        raise ScimUserNotFound
    return found


async def _open_account(tx: Transaction, wish: UserWish) -> UUID:
    user_id = ids.new()
    await member_store.insert_person(
        tx,
        user_id,
        email=wish.email,
        display_name=wish.display_name,
        language=_LANGUAGE,
        password_hash="",
    )
    return user_id


async def _become(
    app: App, tx: Transaction, connection: Connection, id_: UUID, *, active: bool
) -> tuple[bool, dict[str, int]]:
    """Makes somebody a member, or none; answers what they were, and what is to be told of their API keys."""
    user = await _find(tx, connection, id_)
    keys: int | None = None
    if active and not user.active:
        await enrol(app, tx, connection, user)
    if user.active and not active:
        keys = await dismiss(tx, connection, user)
    return user.active, _kept(keys)


def _kept(keys: int | None) -> dict[str, int]:
    """How many keys hold on of whoever goes, as the log says it."""
    return {} if keys is None else {"api_keys": keys}


async def _record(
    tx: Transaction,
    connection: Connection,
    user: ScimUser,
    by: Author,
    action: Action,
    *,
    before: Values | None = None,
    after: Values | None = None,
) -> None:
    target = ids.show("usr", user.user_id)
    await audit.record(tx, connection.organization_id, by, action, target=target, before=before, after=after)


def _said(user: ScimUser) -> dict[str, str | int | bool | list[str] | None]:
    """Without address and name: the log outlives the account."""
    return {"scim_id": ids.show(store.PREFIX, user.id), "active": user.active}
