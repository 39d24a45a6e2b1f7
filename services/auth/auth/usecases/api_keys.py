"""API keys: made, rotated and revoked by members, exchanged by the gateway, reported by whoever found one."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from auth import events
from auth.app import App
from auth.domain.api_keys import ApiKey, ApiKeyNotFound, RevokeReason, Rules
from auth.domain.audit import Action, Author, Values
from auth.domain.members import Organization
from auth.domain.plans import FREE
from auth.domain.roles import Grant
from auth.store import api_keys as store
from auth.store import audit
from auth.store import members as member_store
from auth.store import sessions as session_store
from auth.usecases.givers import enter
from auth.usecases.holding import hold_session
from servicekit import api_keys, api_versions, ids
from servicekit.api_keys import ApiKeyText
from servicekit.database import Transaction
from servicekit.errors import InvalidPageToken, Unauthenticated
from servicekit.identity import Caller
from servicekit.paging import Page

_AFTER_ALL = UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key with its secret, which is told this once."""

    key: ApiKey
    text: str = field(repr=False)


async def create_key(app: App, caller: Caller, rules: Rules, *, user_id: UUID, by: Author) -> IssuedKey:
    """Makes a key, and with the first test key the sandbox that they all act in.

    Raises:
        PermissionUnknown, NetworkInvalid, ApiKeyExpiryPast: the rules cannot be.
        PermissionNotHeld: the key would be allowed what its maker is not.
        PlanLimitReached: the organization has as many keys as its plan allows.
    """
    organization_id = caller.tenant
    text = ApiKeyText.make(sandbox=rules.sandbox)
    async with _begin(app, organization_id, sandbox=rules.sandbox) as tx:
        rules = rules.check(tx.now)
        giver = await enter(app, tx, organization_id, caller)
        giver.give(Grant("", rules.permissions, rules.venues))
        organization = await member_store.get_organization(tx, organization_id)
        assert organization is not None  # noqa: S101  # it is locked
        plan = app.plans.get(organization.plan, app.plans[FREE])
        plan.refuse_more("api_keys", await store.count_keys(tx, organization_id))
        key = ApiKey(
            organization_id=organization_id,
            id=ids.new(),
            acts_in=await _sandbox(tx, organization, user_id) if rules.sandbox else organization_id,
            rules=rules,
            short_id=text.short_id,
            secret_hash=_hash(app, text),
            created_at=tx.now,
            created_by=user_id,
        )
        await store.insert_key(tx, key)
        await _record(tx, key, by, Action.API_KEY_CREATED, after=_said(key))
    return IssuedKey(key, text.show())


async def list_keys(app: App, organization_id: UUID, page: Page) -> tuple[list[ApiKey], str]:
    """The keys, those that are over among them, the newest first, and the token of the next page.

    Raises:
        InvalidPageToken: the token holds no key's id.
    """
    try:
        before = UUID(page.after[0]) if page.after else _AFTER_ALL
    except ValueError:
        raise InvalidPageToken from None
    async with app.db.begin(organization_id) as tx:
        found = await store.list_keys(tx, organization_id, before=before, most=page.size + 1)
    shown = found[: page.size]
    return shown, page.next_token([str(shown[-1].id)]) if len(found) > page.size else ""


async def rotate_key(app: App, caller: Caller, key_id: UUID, *, grace: timedelta, by: Author) -> IssuedKey:
    """Gives a key a new secret; the one before holds for `grace` more, seven days at most.

    Raises:
        ApiKeyNotFound: there is no such key.
        ApiKeyOver: it was revoked or has expired.
        PermissionNotHeld: the key is allowed what the caller is not.
    """
    async with app.db.begin(caller.tenant) as tx:
        giver = await enter(app, tx, caller.tenant, caller)
        key = await _lock(tx, caller.tenant, key_id)
        giver.give(Grant("", key.rules.permissions, key.rules.venues))
        text = ApiKeyText.make(sandbox=key.rules.sandbox, short_id=key.short_id)
        rotated = key.rotate(_hash(app, text), grace=grace, now=tx.now)
        await store.save_key(tx, rotated)
        seconds = {"grace_seconds": int(min(grace, timedelta(days=7)).total_seconds())}
        await _record(tx, rotated, by, Action.API_KEY_ROTATED, after=seconds)
    return IssuedKey(rotated, text.show())


async def raise_version(app: App, caller: Caller, key_id: UUID, version: str, *, by: Author) -> ApiKey:
    """Pins a key to a newer version of the API. Gateways know within half a minute.

    Raises:
        ApiKeyNotFound: there is no such key.
        ApiVersionUnknown, ApiVersionNotRaised: it cannot be pinned to that.
    """
    async with app.db.begin(caller.tenant) as tx:
        await hold_session(app, tx, by)
        key = await _lock(tx, caller.tenant, key_id)
        raised = key.raise_version(version, api_versions.VERSIONS)
        if raised != key:
            await store.save_key(tx, raised)
            await _record(tx, raised, by, Action.API_KEY_VERSION_RAISED, after={"version": version})
    return raised


async def revoke_key(app: App, caller: Caller, key_id: UUID, *, by: Author) -> None:
    """Ends a key with all its secrets: gateways refuse it within seconds. One that is revoked stays so.

    Raises:
        ApiKeyNotFound: there is no such key.
    """
    async with app.db.begin(caller.tenant) as tx:
        await hold_session(app, tx, by)
        key = await _lock(tx, caller.tenant, key_id)
        if key.revoked_at is None:
            await _end(tx, key, RevokeReason.REVOKED, by=by)


async def report_leak(app: App, text: str, *, by: Author) -> None:
    """Ends the key that somebody found, with all its secrets, if it is one that holds."""
    found = api_keys.parse(text)
    if found is None:
        return
    hashed = _hash(app, found)
    async with app.db.begin_platform(reason="end a leaked API key") as tx:
        key = await store.lock_key_of(tx, found.short_id)
        if key is not None and key.rules.sandbox is found.sandbox and key.holds(hashed, tx.now):
            await _end(tx, key, RevokeReason.LEAKED, by=by)


async def exchange_key(app: App, text: str, newest_version: str = "") -> tuple[ApiKey, datetime]:
    """Whom a key speaks for and until when, for the gateway. Notes that it was used.

    At its first use it is pinned to the newest version of the API that the gateway knows, if that says one.

    Raises:
        Unauthenticated: it is no key, or holds no more.
    """
    found = api_keys.parse(text)
    if found is None:
        raise Unauthenticated
    hashed = _hash(app, found)
    async with app.db.begin_platform(reason="exchange an API key") as tx:
        key = await store.find_key(tx, found.short_id)
        until = key.holds(hashed, tx.now) if key else None
        if key is None or until is None or key.rules.sandbox is not found.sandbox:
            raise Unauthenticated
        if key.pinned_version is None and newest_version:
            key = replace(key, pinned_version=await store.pin_key(tx, key, newest_version))
        await store.note_use(tx, key)
    return key, until


def _begin(app: App, organization_id: UUID, *, sandbox: bool) -> AbstractAsyncContextManager[Transaction]:
    if sandbox:
        return app.db.begin_platform(reason="make a test key and its sandbox")
    return app.db.begin(organization_id)


async def _sandbox(tx: Transaction, organization: Organization, user_id: UUID) -> UUID:
    """The sandbox of a locked organization, which begins empty."""
    found = await store.find_sandbox(tx, organization.id)
    if found is not None:
        return found
    sandbox = Organization(ids.new_sandbox(), organization.name, organization.plan)
    await store.insert_sandbox(tx, sandbox, of=organization.id)
    await events.organization_created(tx, sandbox.id, sandbox.name, owner=user_id)
    return sandbox.id


async def _lock(tx: Transaction, organization_id: UUID, key_id: UUID) -> ApiKey:
    key = await store.lock_key(tx, organization_id, key_id)
    if key is None:
        raise ApiKeyNotFound
    return key


async def _end(tx: Transaction, key: ApiKey, reason: RevokeReason, *, by: Author) -> None:
    await store.save_key(tx, key.revoke(reason, tx.now))
    await session_store.revoke(tx, key.id, organization_id=key.organization_id)
    action = Action.API_KEY_LEAKED if reason is RevokeReason.LEAKED else Action.API_KEY_REVOKED
    await _record(tx, key, by, action)


async def _record(
    tx: Transaction, key: ApiKey, by: Author, action: Action, *, after: Values | None = None
) -> None:
    target = ids.show("key", key.id)
    await audit.record(tx, key.organization_id, by, action, target=target, after=after)


def _said(key: ApiKey) -> Values:
    rules = key.rules
    return {
        "name": rules.name,
        "short_id": key.short_id,
        "permissions": sorted(rules.permissions),
        "sandbox": rules.sandbox,
        "venues": [ids.show("ven", each) for each in sorted(rules.venues)],
        "networks": list(rules.networks),
        "expires_at": rules.expires_at.isoformat() if rules.expires_at else None,
    }


def _hash(app: App, text: ApiKeyText) -> bytes:
    return app.seal.digest(text.secret.encode(), bound_to=b"api key " + text.short_id.encode())
