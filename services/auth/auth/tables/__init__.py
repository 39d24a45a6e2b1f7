"""The tables of auth. Much of what it keeps is about people, who belong to no tenant: each says why."""

from auth.tables.audit import AUDIT_ENTRIES, AUDIT_HEADS
from auth.tables.organizations import MEMBERSHIPS, ORGANIZATIONS
from auth.tables.people import EMAIL_VERIFICATIONS, LOG_IN_ATTEMPTS, REGISTRATIONS, USERS
from auth.tables.schema import METADATA
from auth.tables.sessions import REVOCATIONS, SESSIONS

__all__ = [
    "AUDIT_ENTRIES",
    "AUDIT_HEADS",
    "EMAIL_VERIFICATIONS",
    "LOG_IN_ATTEMPTS",
    "MEMBERSHIPS",
    "METADATA",
    "ORGANIZATIONS",
    "PLATFORM_ONLY",
    "REGISTRATIONS",
    "REVOCATIONS",
    "SESSIONS",
    "USERS",
]

PLATFORM_ONLY = ("users", "registrations", "email_verifications", "log_in_attempts")
"""Tables without organization_id. Row-level security is forced on them with a platform policy alone:
a tenant's transaction sees no row of them, and every use is one of the named, counted exceptions."""
