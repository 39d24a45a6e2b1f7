"""Events that auth publishes, written to the outbox with the change. They hold no address and no secret."""

from dataclasses import asdict
from uuid import UUID

from auth.domain.privacy import PrivacyRequest, RequestKind
from auth.domain.sites import Theme
from comptoir.auth.v1 import events_pb2
from servicekit import ids, outbox
from servicekit.database import Transaction
from servicekit.retention import Retention


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


async def retention_changed(tx: Transaction, organization_id: UUID, retention: Retention) -> None:
    """An organization keeps things for longer or shorter from now on."""
    message = events_pb2.RetentionChanged(
        organization_id=ids.show("org", organization_id),
        version=retention.version,
        **asdict(retention.periods),
    )
    await outbox.add(tx, message, key=organization_id, organization=organization_id)


async def theme_updated(tx: Transaction, organization_id: UUID, theme: Theme) -> None:
    """An organization looks otherwise to its guests."""
    message = events_pb2.OrganizationThemeUpdated(
        organization_id=ids.show("org", organization_id), version=theme.version, **asdict(theme.look)
    )
    await outbox.add(tx, message, key=organization_id, organization=organization_id)


async def account_mail_requested(tx: Transaction, mail_id: UUID) -> None:
    """Somebody is to be written to about their account. What it says is asked for when it is written."""
    await outbox.add(tx, events_pb2.AccountMailRequested(mail_id=ids.show("aml", mail_id)), key=mail_id)


async def privacy_requested(tx: Transaction, request: PrivacyRequest) -> None:
    """A person is to be forgotten, or told what is kept of them. Whom, booking asks."""
    request_id = ids.show("prq", request.id)
    user_id = ids.show("usr", request.user_id) if request.user_id else ""
    message = (
        events_pb2.ErasureRequested(request_id=request_id, user_id=user_id)
        if request.kind is RequestKind.ERASE
        else events_pb2.ExportRequested(request_id=request_id, user_id=user_id)
    )
    await outbox.add(tx, message, key=request.id, organization=request.organization_id)
