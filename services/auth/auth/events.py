"""Events that auth publishes, written to the outbox with the change. They hold no address and no secret."""

from uuid import UUID

from comptoir.auth.v1 import events_pb2
from servicekit import ids, outbox
from servicekit.database import Transaction


async def verification_requested(tx: Transaction, registration_id: UUID) -> None:
    """Somebody is to be sent a link. Whether there is anything to verify is decided when it is written."""
    message = events_pb2.VerificationRequested(user_id=ids.show("usr", registration_id))
    await outbox.add(tx, message, key=registration_id)


async def invitation_requested(tx: Transaction, organization_id: UUID, invitation_id: UUID) -> None:
    """Somebody is to be sent a link that invites them, unless the invitation is over by then."""
    message = events_pb2.InvitationRequested(invitation_id=ids.show("inv", invitation_id))
    await outbox.add(tx, message, key=invitation_id, organization=organization_id)


async def organization_created(tx: Transaction, organization_id: UUID, name: str, *, owner: UUID) -> None:
    """A new tenant."""
    message = events_pb2.OrganizationCreated(
        organization_id=ids.show("org", organization_id), name=name, owner_user_id=ids.show("usr", owner)
    )
    await outbox.add(tx, message, key=organization_id, organization=organization_id)


async def account_mail_requested(tx: Transaction, mail_id: UUID) -> None:
    """Somebody is to be written to about their account. What it says is asked for when it is written."""
    await outbox.add(tx, events_pb2.AccountMailRequested(mail_id=ids.show("aml", mail_id)), key=mail_id)
