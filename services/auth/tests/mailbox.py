"""The mails that auth asks for, as tests see them: what is asked of it when they are written."""

from uuid import UUID

import sqlalchemy as sa

from auth.app import App
from auth.domain.account_mails import MailKind
from auth.tables import ACCOUNT_MAILS
from auth.usecases.account_mails import IssuedMail, issue_account_mail


async def waiting(app: App, kind: MailKind | None = None) -> list[UUID]:
    """The ids of all mails, oldest first; of one kind if given."""
    query = sa.select(ACCOUNT_MAILS.c.id).order_by(ACCOUNT_MAILS.c.id)
    if kind is not None:
        query = query.where(ACCOUNT_MAILS.c.kind == kind.value)
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        return list((await tx.execute(query)).scalars())


async def written(app: App, kind: MailKind) -> list[IssuedMail]:
    """What the mails of a kind say that are sent at all, oldest first."""
    issued = [await issue_account_mail(app, each) for each in await waiting(app, kind)]
    return [each for each in issued if each is not None]


async def the_only(app: App, kind: MailKind) -> IssuedMail:
    """What the one mail of a kind says."""
    (mail,) = await written(app, kind)
    return mail
