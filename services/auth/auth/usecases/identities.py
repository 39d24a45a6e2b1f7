"""Accounts at providers that are linked to one's own: looking at them, and unlinking."""

from uuid import UUID

from auth.app import App
from auth.domain.audit import PLATFORM_CHAIN, Action, Author
from auth.domain.identities import Identity, IdentityNotFound
from auth.domain.passkeys import refuse_last_way_in
from auth.store import audit
from auth.store import identities as store
from auth.store import passkeys as passkey_store
from auth.usecases.factors import lock_user
from servicekit import ids
from servicekit.paging import Page


async def list_identities(app: App, user_id: UUID, page: Page) -> tuple[list[Identity], str]:
    """A page of those linked to the user's account, the oldest first, and the token of the next."""
    async with app.db.begin_platform(reason="list the caller's identities") as tx:
        found = await store.list_identities(tx, user_id)
    return page.cut(found, lambda each: (each.created_at.isoformat(), each.id.hex))


async def unlink_identity(app: App, user_id: UUID, identity_id: UUID, *, by: Author) -> None:
    """The provider's account opens the user's no more. Sessions go on.

    Who logs in with it again is linked again only if the provider vouches for the address of the account.

    Raises:
        IdentityNotFound: no such one is linked to the user's account.
        LastWayIn: nothing else opens the account.
    """
    async with app.db.begin_platform(reason="unlink the caller's identity") as tx:
        user = await lock_user(app, tx, user_id, by=by)
        linked = {each.id: each for each in await store.list_identities(tx, user_id)}
        identity = linked.get(identity_id)
        if identity is None:
            raise IdentityNotFound
        others = len(linked) - 1 + len(await passkey_store.list_passkeys(tx, user_id))
        refuse_last_way_in(has_password=bool(user.password_hash), other_passkeys=others)
        await store.delete_identity(tx, identity)
        target, said = ids.show("usr", user_id), {"issuer": identity.issuer}
        await audit.record(tx, PLATFORM_CHAIN, by, Action.IDENTITY_UNLINKED, target=target, before=said)
