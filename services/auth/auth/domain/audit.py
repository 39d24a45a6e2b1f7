"""The audit log: who did what, chained so that no entry can be changed or left out unseen. Never does I/O.

Each organization has a chain of its own. What belongs to no organization, like the account of a person who
may be in many, goes to the chain of the platform; an entry is in exactly one chain. What a session does is
recorded in the organization that the session is in.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from servicekit.errors import AppError, Kind


class NoSandbox(AppError):
    """The organization has no sandbox: it has made no test key yet."""

    kind = Kind.NOT_FOUND
    reason = "NO_SANDBOX"
    detail = "This organization has no sandbox yet: the first test key makes it."


Values: TypeAlias = Mapping[str, "str | int | bool | list[str] | None"]
"""What an entry says of a thing, before or after. Never a secret, nor its hash; no fractions, which a
database writes in its own way."""

PLATFORM_CHAIN = UUID(int=0)
"""The chain of what belongs to no organization. No organization has this id."""
GENESIS = bytes(32)
"""What the first entry of a chain is linked to."""


class ActorKind(StrEnum):
    """What kind of somebody acted."""

    USER = "user"
    KEY = "key"
    OPERATOR = "operator"
    CONNECTION = "connection"
    """An organization's provider, by SCIM."""
    SYSTEM = "system"
    """A timer, or another service."""
    NOBODY = "nobody"
    """Somebody who was not known yet."""


class Action(StrEnum):
    """What was done: noun.participle."""

    SESSION_OPENED = "session.opened"
    SESSION_CLOSED = "session.closed"
    SESSION_REVOKED = "session.revoked"
    SESSION_REAUTHENTICATED = "session.reauthenticated"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105  # an action, no secret
    PASSWORD_RESET = "password.reset"  # noqa: S105
    EMAIL_CHANGED = "email.changed"
    EMAIL_REVERTED = "email.reverted"
    ACCOUNT_DELETED = "account.deleted"
    FACTOR_ADDED = "factor.added"
    FACTOR_REMOVED = "factor.removed"
    RECOVERY_CODES_RENEWED = "recovery_codes.renewed"
    RECOVERY_CODE_USED = "recovery_code.used"
    SESSION_SWITCHED = "session.switched"
    ORGANIZATION_CREATED = "organization.created"
    ORGANIZATION_RENAMED = "organization.renamed"
    OWNERSHIP_GIVEN = "ownership.given"
    OWNERSHIP_LAID_DOWN = "ownership.laid_down"
    MEMBER_JOINED = "member.joined"
    MEMBER_CHANGED = "member.changed"
    MEMBER_REMOVED = "member.removed"
    MEMBER_SESSIONS_ENDED = "member.sessions_ended"
    MEMBER_LEFT = "member.left"
    INVITATION_CREATED = "invitation.created"
    INVITATION_RESENT = "invitation.resent"
    INVITATION_REVOKED = "invitation.revoked"
    ROLE_CREATED = "role.created"
    ROLE_CHANGED = "role.changed"
    ROLE_DELETED = "role.deleted"
    API_KEY_CREATED = "api_key.created"
    API_KEY_ROTATED = "api_key.rotated"
    API_KEY_VERSION_RAISED = "api_key.version_raised"
    API_KEY_REVOKED = "api_key.revoked"
    API_KEY_LEAKED = "api_key.leaked"
    CONNECTION_CREATED = "connection.created"
    CONNECTION_CHANGED = "connection.changed"
    CONNECTION_DELETED = "connection.deleted"
    DOMAIN_VERIFIED = "domain.verified"
    DOMAIN_MISSING = "domain.missing"
    DOMAIN_LOST = "domain.lost"
    SCIM_TOKEN_CREATED = "scim_token.created"  # noqa: S105  # an action, no secret
    SCIM_TOKEN_ROTATED = "scim_token.rotated"  # noqa: S105
    SCIM_TOKEN_REVOKED = "scim_token.revoked"  # noqa: S105
    SCIM_USER_CREATED = "scim_user.created"
    SCIM_USER_CHANGED = "scim_user.changed"
    SCIM_USER_DELETED = "scim_user.deleted"
    SCIM_GROUP_CREATED = "scim_group.created"
    SCIM_GROUP_CHANGED = "scim_group.changed"
    SCIM_GROUP_DELETED = "scim_group.deleted"
    IDENTITY_LINKED = "identity.linked"
    IDENTITY_UNLINKED = "identity.unlinked"
    RETENTION_CHANGED = "retention.changed"
    ORIGIN_ALLOWED = "origin.allowed"
    ORIGIN_FORGOTTEN = "origin.forgotten"
    WEB_DOMAIN_CLAIMED = "web_domain.claimed"
    WEB_DOMAIN_VERIFIED = "web_domain.verified"
    WEB_DOMAIN_MISSING = "web_domain.missing"
    WEB_DOMAIN_LOST = "web_domain.lost"
    WEB_DOMAIN_GIVEN_UP = "web_domain.given_up"
    THEME_CHANGED = "theme.changed"
    OPERATOR_ADDED = "operator.added"
    OPERATOR_ENROLLED = "operator.enrolled"
    OPERATOR_REENROLLED = "operator.reenrolled"
    OPERATOR_DISABLED = "operator.disabled"
    OPERATOR_ACCESS_BEGUN = "operator_access.begun"
    OPERATOR_ACCESS_USED = "operator_access.used"
    """A call of an operator in the organization, before it was let through."""
    OPERATOR_ACCESS_ENDED = "operator_access.ended"
    PRIVACY_REQUESTED = "privacy.requested"
    PRIVACY_COMPLETED = "privacy.completed"
    PRIVACY_EXPORT_DOWNLOADED = "privacy.export_downloaded"
    REFRESH_TOKEN_REUSED = "refresh_token.reused"  # noqa: S105  # an action, no secret


@dataclass(frozen=True, slots=True)
class Author:
    """Who acts, for whom, and from where."""

    kind: ActorKind
    id: UUID | None = None
    on_behalf_of: UUID | None = None
    """The user in whose name somebody else acts. `store.audit.record` finds that of a key, who made it."""
    address: str = ""
    request_id: str = ""
    session: UUID | None = None
    """What a person, or an operator on the platform, calls in: for `usecases.holding`. Not recorded."""


NOBODY = Author(ActorKind.NOBODY)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a chain."""

    organization_id: UUID
    seq: int
    """1, 2, 3 … in each chain, without gaps."""
    id: UUID
    at: datetime
    actor_kind: ActorKind
    actor_id: UUID | None
    on_behalf_of: UUID | None
    action: Action
    target: str
    """What it was done to: a typed id, like "ses_…"."""
    address: str
    request_id: str
    before: Values | None
    after: Values | None
    previous_hash: bytes
    hash: bytes

    def digest(self) -> bytes:
        """The hash that the entry must have: SHA-256 over the previous hash and `canonical`."""
        return hashlib.sha256(self.previous_hash + self.canonical().encode()).digest()

    def canonical(self) -> str:
        """All but the hashes, in canonical JSON.

        Canonical as by RFC 8785 for what `Values` allows: names sorted, no white space, UTF-8.
        """
        said = {
            "organization_id": str(self.organization_id),
            "seq": self.seq,
            "id": str(self.id),
            "at": self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "actor_kind": self.actor_kind,
            "actor_id": _text(self.actor_id),
            "on_behalf_of": _text(self.on_behalf_of),
            "action": self.action,
            "target": self.target,
            "address": self.address,
            "request_id": self.request_id,
            "before": self.before,
            "after": self.after,
        }
        return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def verify(entries: Iterable[Entry], *, previous_hash: bytes = GENESIS, seq: int = 0) -> int | None:
    """The number of the first entry of a chain that is not as it was written; None when all are.

    `entries` begin, in order, after number `seq`, whose hash is `previous_hash`: by default at the first.
    An end that was cut off shows only beside the chain's head, which says how far it goes.
    """
    for entry in entries:
        seq += 1
        linked = entry.seq == seq and entry.previous_hash == previous_hash
        if not linked or entry.hash != entry.digest():
            return seq
        previous_hash = entry.hash
    return None


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
