"""Whoever came back from a provider: which account that is, what it becomes, and its session."""

from dataclasses import replace
from uuid import UUID

from auth import events
from auth.app import App
from auth.domain import accounts, sso
from auth.domain.account_mails import MailKind
from auth.domain.accounts import Membership
from auth.domain.audit import PLATFORM_CHAIN, Action, ActorKind, Author
from auth.domain.challenges import PendingLogIn
from auth.domain.connections import Connection
from auth.domain.members import MemberRemoved, Organization
from auth.domain.plans import FREE
from auth.domain.scim import ScimNotProvisioned
from auth.domain.sessions import SessionTokens
from auth.domain.sso import (
    SECOND_FACTOR_METHOD,
    SOCIAL,
    SOCIAL_METHOD,
    Arrival,
    Assertion,
    CodeInvalid,
    EmailNotOfDomain,
    EmailNotVouchedFor,
)
from auth.store import api_keys as key_store
from auth.store import audit
from auth.store import invitations as invitation_store
from auth.store import members as member_store
from auth.store import people as people_store
from auth.store import registrations as registration_store
from auth.store import roles as role_store
from auth.store import scim_tokens as scim_token_store
from auth.store import sso as store
from auth.store.grants import find_grant
from auth.usecases.account_mails import write_to
from auth.usecases.addresses import hash_of_address
from auth.usecases.invitations import refuse_crowd
from auth.usecases.sessions import admit
from auth.usecases.sso import find_connection
from auth.usecases.ways_in import refuse_other_ways
from servicekit import ids
from servicekit.database import Transaction
from servicekit.permissions import BY_CONNECTION, OWNER

_LONGEST_NAME = 100
_DEFAULT_LANGUAGE = "en"


async def trade_code(
    app: App, code: str, verifier: str, *, device_token: str, by: Author, user_agent: str
) -> SessionTokens | PendingLogIn:
    """A session for whoever came back within the last minute, or the second step that comes before it.

    The code is used up, whatever comes of it. By a connection, people of its domains alone get in, into its
    organization, of which they become members; by a social log-in, whoever is known or whose verified address
    has an account or gets one.

    Raises:
        CodeInvalid: there is no such code (any more), the verifier is not the one of who began, or the
            connection has got another provider meanwhile.
        ConnectionNotFound: the connection was deleted meanwhile.
        EmailNotVouchedFor: the provider does not say that the address is verified.
        EmailNotOfDomain: the address is of no domain of the connection.
        SsoRequired: a social log-in, where the organization wants another one.
        PlanLimitReached: the organization has as many members as its plan allows.
        RoleNotFound: the role that the connection gives is gone.
        ScimNotProvisioned: the provider says by SCIM who is a member, and the person is none.
        MemberRemoved: the organization has removed the person, or whoever had their address, and they were
            not invited again.
        NoOrganization: the person belongs to none.
    """
    async with app.db.begin_platform(reason="take the code of a log-in at a provider") as tx:
        arrival = await store.take_arrival(tx, sso.hashed(code))
    if arrival is None:
        raise CodeInvalid
    arrival.refuse_others(verifier)
    async with app.db.begin_platform(reason="log in by a provider") as tx:
        await registration_store.lock_address(tx, arrival.assertion.email)
        connection = await find_connection(tx, arrival.connection)
        if connection is not None:
            await member_store.lock_organization(tx, connection.organization_id)
            # Once more under the lock, under which domains are lost, too.
            connection = await find_connection(tx, arrival.connection)
        if connection is not None and not connection.is_at(arrival.provider):
            raise CodeInvalid
        user_id = await _person(tx, arrival.assertion, connection, by=by)
        author = replace(by, kind=ActorKind.USER, id=user_id)
        method = SOCIAL_METHOD if connection is None else BY_CONNECTION
        if connection is None:
            await refuse_other_ways(tx, user_id)
            second = False
        else:
            await _enrol(app, tx, connection, arrival.assertion, user_id, by=author)
            second = await _second_factor_counts(tx, connection, arrival, user_id)
        return await admit(
            app,
            tx,
            user_id,
            methods=(method, SECOND_FACTOR_METHOD) if second else (method,),
            by=by,
            user_agent=user_agent,
            device_token=device_token,
            connection=connection,
            second_factor_given=second,
        )


async def _person(
    tx: Transaction, assertion: Assertion, connection: Connection | None, *, by: Author
) -> UUID:
    """The account that the provider is known to mean, else that of the address it vouches for, else a new.

    What a connection says counts for addresses of its verified domains alone, of the answer and of the
    account: whoever runs a provider gets at nobody else's account by it.
    """
    realm = connection.organization_id if connection else SOCIAL
    if connection is not None and not assertion.email:
        raise EmailNotVouchedFor
    if connection is not None and not connection.speaks_for(assertion.email):
        raise EmailNotOfDomain
    user_id = await store.find_identity(tx, realm, assertion)
    if user_id is None:
        if not assertion.email:
            raise EmailNotVouchedFor
        person = await member_store.find_person(tx, assertion.email)
        user_id = person[0] if person else await _make(tx, assertion, connection, by=by)
        await store.insert_identity(tx, realm, assertion, user_id)
        told = await people_store.get_user(tx, user_id) if person else None
        if told is not None:
            await write_to(tx, MailKind.IDENTITY_LINKED, told, address=by.address)
        await audit.record(
            tx,
            PLATFORM_CHAIN,
            replace(by, kind=ActorKind.USER, id=user_id),
            Action.IDENTITY_LINKED,
            target=ids.show("usr", user_id),
            after={"issuer": assertion.issuer, "connection": ids.show("con", connection.id)}
            if connection
            else {"issuer": assertion.issuer},
        )
    user = await people_store.get_user(tx, user_id)
    if connection is not None and (user is None or not connection.speaks_for(user.email)):
        raise EmailNotOfDomain
    return user_id


async def _make(tx: Transaction, assertion: Assertion, connection: Connection | None, *, by: Author) -> UUID:
    """A new account without a password; one that comes by no organization gets one of its own."""
    user_id = ids.new()
    name = _shown_name(assertion)
    await member_store.insert_person(
        tx,
        user_id,
        email=assertion.email,
        display_name=name,
        language=_DEFAULT_LANGUAGE,
        password_hash="",
    )
    if connection is None:
        organization = Organization(ids.new(), name, FREE)
        await member_store.insert_organization(tx, organization)
        await member_store.insert_member(tx, Membership(organization.id, user_id, OWNER))
        await events.organization_created(tx, organization.id, organization.name, owner=user_id)
        await audit.record(
            tx,
            organization.id,
            replace(by, kind=ActorKind.USER, id=user_id),
            Action.ORGANIZATION_CREATED,
            target=ids.show("org", organization.id),
            after={"name": organization.name, "owner": ids.show("usr", user_id)},
        )
    return user_id


async def _enrol(
    app: App, tx: Transaction, connection: Connection, assertion: Assertion, user_id: UUID, *, by: Author
) -> None:
    """Makes a person a member, or has a member's role follow the provider. Owners stay owners.

    A provider that has a SCIM token says both by SCIM: then nobody becomes anything by logging in.
    """
    organization_id, rules = connection.organization_id, connection.rules
    role = rules.role_of(assertion.groups)
    there = await find_grant(tx, organization_id, user_id)
    if await scim_token_store.find_token(tx, organization_id, connection.id) is not None:
        if there is None:
            raise ScimNotProvisioned
        return
    if there is not None and (not rules.role_claim or there.role in (role, OWNER)):
        return
    grant = await role_store.get_grant(tx, organization_id, role, there.venues if there else frozenset())
    after: dict[str, str | int] = {"role": role, "connection": ids.show("con", connection.id)}
    membership = Membership(organization_id, user_id, grant.role, grant.venues)
    if there is None:
        if await member_store.was_removed(
            tx, organization_id, user_id, hash_of_address(app, assertion.email)
        ):
            raise MemberRemoved
        await invitation_store.revoke_invitations_to(tx, organization_id, assertion.email)
        await member_store.insert_member(tx, membership)
        await refuse_crowd(app, tx, organization_id)
    else:
        await member_store.save_member(tx, membership)
        after["api_keys"] = await key_store.count_keys_of(tx, organization_id, user_id)
    await audit.record(
        tx,
        organization_id,
        by,
        Action.MEMBER_CHANGED if there else Action.MEMBER_JOINED,
        target=ids.show("usr", user_id),
        before={"role": there.role} if there else None,
        after=after,
    )


async def _second_factor_counts(
    tx: Transaction, connection: Connection, arrival: Arrival, user_id: UUID
) -> bool:
    """Whether the provider's second factor counts: of those who belong to this organization alone.

    No organization decides how others of the same person are got into.
    """
    if not (connection.rules.provides_second_factor and arrival.assertion.second_factor):
        return False
    return list(await people_store.list_organizations(tx, user_id)) == [connection.organization_id]


def _shown_name(assertion: Assertion) -> str:
    """What colleagues see: as the provider says it, else what stands before the @."""
    told = "".join(each for each in assertion.name if each.isprintable()).strip()[:_LONGEST_NAME]
    return accounts.person_name(told or assertion.email.partition("@")[0])
