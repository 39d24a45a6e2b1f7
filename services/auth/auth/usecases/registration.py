"""From the wish to register to an owner with an organization. Never tells whether an address is known."""

from dataclasses import dataclass, replace
from uuid import UUID

from auth import events
from auth.app import App
from auth.domain import accounts
from auth.domain.accounts import Membership, Registration, VerificationTokenInvalid
from auth.domain.audit import NOBODY, Action, ActorKind, Author
from auth.domain.limits import VERIFICATIONS_OF_ADDRESS
from auth.store import accounts as account_store
from auth.store import audit, limits
from auth.store import registrations as store
from auth.usecases.new_passwords import hash_new_password
from servicekit import ids, timers

FORGET_REGISTRATION = "forget_registration"
"""The timer that ends what waits."""


@dataclass(frozen=True, slots=True)
class VerificationMail:
    """What the mail with the link needs."""

    email: str
    display_name: str
    language: str
    token: str


async def register(
    app: App, *, email: str, password: str, display_name: str, organization_name: str, language: str
) -> None:
    """Takes a wish in and asks for a mail.

    Does the very same for every address, known or not, so neither answer nor time tells. Whether there is
    anything to verify is decided when the mail is written. More than three at a time for one address are
    quietly let go, and so is the fourth wish for a mail to it in six hours.

    Raises:
        PasswordTooCommon: anybody would guess the password.
        InvalidRequest: a name is blank or holds control characters.
        Unavailable: too many passwords wait to be hashed.
    """
    address = accounts.normalise_email(email)
    password_hash = await hash_new_password(app, password, email=address, names=[organization_name])
    async with app.db.begin_platform(reason="register an owner") as tx:
        registration = Registration.begin(
            ids.new(),
            email=address,
            display_name=display_name,
            organization_name=organization_name,
            language=language,
            password_hash=password_hash,
            now=tx.now,
        )
        await store.lock_address(tx, address)
        if not await store.has_room(tx, address):
            return
        if not await limits.allows(tx, VERIFICATIONS_OF_ADDRESS, address):
            return
        await store.insert_registration(tx, registration)
        await timers.schedule(tx, FORGET_REGISTRATION, str(registration.id), registration.expires_at)
        await events.verification_requested(tx, registration.id)


async def resend_verification(app: App, email: str) -> None:
    """Asks for another mail for whatever waits for the address. Never tells.

    At most five for each registration; and three wishes for an address in six hours, registering counted.
    """
    address = accounts.normalise_email(email)
    async with app.db.begin_platform(reason="send a verification again") as tx:
        if not await limits.allows(tx, VERIFICATIONS_OF_ADDRESS, address):
            return
        for registration_id in await store.count_mails(tx, address):
            await events.verification_requested(tx, registration_id)


async def issue_verification(app: App, registration_id: UUID) -> VerificationMail | None:
    """A fresh token for a mail that is about to be sent, which holds 24 h; so do those issued before.

    None when nothing is left to verify: done already, forgotten, or the address belongs to an account.
    """
    async with app.db.begin_platform(reason="issue a verification token") as tx:
        registration = await store.lock_registration(tx, registration_id)
        if registration is None or registration.completed_at is not None:
            return None
        if await store.is_taken(tx, registration.email):
            return None
        token, verification = accounts.issue_verification(registration.id, tx.now)
        await store.insert_verification(tx, verification)
        await store.prolong_registration(tx, registration.id, verification.expires_at)
        await timers.schedule(tx, FORGET_REGISTRATION, str(registration.id), verification.expires_at)
    return VerificationMail(registration.email, registration.display_name, registration.language, token)


async def verify_email(app: App, token: str, *, by: Author = NOBODY) -> UUID:
    """Makes the user, the organization and the ownership; answers the organization. Recorded there.

    A token works once. Used again while it holds it answers the same organization and changes nothing,
    because mail programs and impatient fingers open links twice; nothing else is to be had by it.

    Raises:
        VerificationTokenInvalid: wrong, expired, or the address was verified through another link.
    """
    hashed = accounts.token_hash(token)
    async with app.db.begin_platform(reason="verify an address") as tx:
        email = await store.find_email_of_token(tx, hashed)
        if email is None:
            raise VerificationTokenInvalid
        await store.lock_address(tx, email)
        registration = await store.lock_registration_of_token(tx, hashed)
        if registration is None:
            raise VerificationTokenInvalid
        if registration.organization_id is not None:
            return registration.organization_id
        organization_id = ids.new()
        done = registration.complete(organization_id, tx.now)
        await account_store.insert_user(tx, done, tx.now)
        await account_store.insert_organization(tx, organization_id, done.organization_name)
        await account_store.insert_membership(tx, Membership(organization_id, done.id, role="owner"))
        await store.complete_registration(tx, done)
        await store.use_token(tx, hashed)
        await events.organization_created(tx, organization_id, done.organization_name, owner=done.id)
        await audit.record(
            tx,
            organization_id,
            replace(by, kind=ActorKind.USER, id=done.id),
            Action.ORGANIZATION_CREATED,
            target=ids.show("org", organization_id),
            after={"name": done.organization_name, "owner": ids.show("usr", done.id)},
        )
    return organization_id
