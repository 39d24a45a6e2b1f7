"""Names and addresses of people whom SCIM manages: never those of owners, nor of people of others as well."""

from dataclasses import replace
from uuid import UUID

from auth.app import App
from auth.domain.account_mails import LinkInvalid, MailKind
from auth.domain.connections import Connection
from auth.domain.scim import (
    ScimOwnerKept,
    ScimPersonShared,
    ScimUser,
    ScimUserNameTaken,
    UserWish,
    refuse_foreign,
)
from auth.store import account_mails as mail_store
from auth.store import people as people_store
from auth.store.grants import find_grant
from auth.usecases.account_mails import write_to
from auth.usecases.addresses import move
from servicekit.database import Transaction
from servicekit.errors import AppError
from servicekit.permissions import OWNER


async def less_what_is_theirs(
    tx: Transaction, connection: Connection, before: ScimUser, wish: UserWish
) -> UserWish:
    """The wish about a locked person, less the name and the address that are not the connection's to say.

    Another address is refused to those who stay, and no hindrance to those who are to go.

    Raises:
        ScimOwnerKept: they would stay with another address, and own the organization.
        ScimPersonShared: the same of somebody who belongs to other organizations as well.
    """
    if (wish.email, wish.display_name) == (before.email, before.display_name):
        return wish
    refusal = await why_out_of_reach(tx, connection, before.user_id)
    if refusal is not None and wish.active and wish.email != before.email:
        raise refusal
    if refusal is not None or not (wish.active or connection.speaks_for(before.email)):
        return replace(wish, email=before.email, display_name=before.display_name)
    return wish


async def why_out_of_reach(tx: Transaction, connection: Connection, user_id: UUID) -> AppError | None:
    """Why a locked person's name and address are their own to say; None: they are the connection's."""
    grant = await find_grant(tx, connection.organization_id, user_id)
    if grant is not None and grant.role == OWNER:
        return ScimOwnerKept()
    belongs_to = await people_store.list_organizations(tx, user_id)
    return ScimPersonShared() if set(belongs_to) - {connection.organization_id} else None


async def rename(app: App, tx: Transaction, connection: Connection, before: ScimUser, wish: UserWish) -> None:
    """Gives a locked person another name or address, and tells the old one, with a link that takes it back.

    Raises:
        ScimAddressNotOfDomain: the old or the new address is of no verified domain of the connection.
        ScimUserNameTaken: another account has the new address.
    """
    refuse_foreign(connection, before.email, wish.email)
    account = await people_store.get_user(tx, before.user_id)
    if account is not None and wish.email != account.email:
        try:
            await move(app, tx, account, wish.email)
        except LinkInvalid as error:
            raise ScimUserNameTaken from error
        await mail_store.delete_mails_of(tx, account.id, MailKind.EMAIL_CHANGE)
        await write_to(tx, MailKind.EMAIL_CHANGED, account)
    await people_store.save_display_name(tx, before.user_id, wish.display_name)
