"""The tables of auth. Much of what it keeps is about people, who belong to no tenant: each says why."""

from auth.tables.api_keys import API_KEYS
from auth.tables.audit import AUDIT_ENTRIES, AUDIT_HEADS
from auth.tables.credentials import ACCOUNT_LINKS, ACCOUNT_MAILS, KNOWN_DEVICES, WISH_COUNTS
from auth.tables.factors import (
    CHALLENGES,
    FACTOR_ATTEMPTS,
    PASSKEYS,
    RECOVERY_CODES,
    REMEMBERED_DEVICES,
    TOTP_FACTORS,
)
from auth.tables.operators import (
    OPERATOR_ACCESSES,
    OPERATOR_RECOVERY_CODES,
    OPERATOR_SECRETS,
    OPERATOR_SESSIONS,
    OPERATOR_TOTPS,
    OPERATORS,
)
from auth.tables.organizations import (
    INVITATION_LINKS,
    INVITATIONS,
    MEMBERSHIPS,
    ORGANIZATIONS,
    REMOVALS,
    ROLES,
)
from auth.tables.people import (
    EMAIL_VERIFICATIONS,
    FORMER_ADDRESSES,
    LOG_IN_ATTEMPTS,
    REGISTRATIONS,
    USERS,
)
from auth.tables.privacy import PRIVACY_IDENTIFIERS, PRIVACY_PARTS, PRIVACY_RECEIPTS, PRIVACY_REQUESTS
from auth.tables.schema import METADATA, RETENTION_SETTINGS
from auth.tables.scim import SCIM_GROUP_MEMBERS, SCIM_GROUPS, SCIM_TOKENS, SCIM_USERS
from auth.tables.sessions import REVOCATIONS, SESSIONS
from auth.tables.sites import ORIGINS, SITE_CHANGES, THEMES, WEB_DOMAINS
from auth.tables.sso import CONNECTION_DOMAINS, CONNECTIONS, IDENTITIES, SSO_ARRIVALS, SSO_ATTEMPTS

__all__ = [
    "ACCOUNT_LINKS",
    "ACCOUNT_MAILS",
    "API_KEYS",
    "AUDIT_ENTRIES",
    "AUDIT_HEADS",
    "CHALLENGES",
    "CONNECTIONS",
    "CONNECTION_DOMAINS",
    "EMAIL_VERIFICATIONS",
    "FACTOR_ATTEMPTS",
    "FORMER_ADDRESSES",
    "IDENTITIES",
    "INVITATIONS",
    "INVITATION_LINKS",
    "KNOWN_DEVICES",
    "LOG_IN_ATTEMPTS",
    "MEMBERSHIPS",
    "METADATA",
    "OPERATORS",
    "OPERATOR_ACCESSES",
    "OPERATOR_RECOVERY_CODES",
    "OPERATOR_SECRETS",
    "OPERATOR_SESSIONS",
    "OPERATOR_TOTPS",
    "ORGANIZATIONS",
    "ORIGINS",
    "PASSKEYS",
    "PLATFORM_ONLY",
    "PRIVACY_IDENTIFIERS",
    "PRIVACY_PARTS",
    "PRIVACY_RECEIPTS",
    "PRIVACY_REQUESTS",
    "RECOVERY_CODES",
    "REGISTRATIONS",
    "REMEMBERED_DEVICES",
    "REMOVALS",
    "RETENTION_SETTINGS",
    "REVOCATIONS",
    "ROLES",
    "SCIM_GROUPS",
    "SCIM_GROUP_MEMBERS",
    "SCIM_TOKENS",
    "SCIM_USERS",
    "SESSIONS",
    "SITE_CHANGES",
    "SSO_ARRIVALS",
    "SSO_ATTEMPTS",
    "THEMES",
    "TOTP_FACTORS",
    "USERS",
    "WEB_DOMAINS",
    "WISH_COUNTS",
]

PLATFORM_ONLY = (
    "users",
    "former_addresses",
    "registrations",
    "email_verifications",
    "log_in_attempts",
    "account_mails",
    "account_links",
    "known_devices",
    "wish_counts",
    "totp_factors",
    "recovery_codes",
    "passkeys",
    "challenges",
    "factor_attempts",
    "remembered_devices",
    "identities",
    "sso_attempts",
    "sso_arrivals",
    "operators",
    "operator_secrets",
    "operator_totps",
    "operator_recovery_codes",
    "operator_sessions",
)
"""Tables without organization_id. Row-level security is forced on them with a platform policy alone:
a tenant's transaction sees no row of them, and every use is one of the named, counted exceptions."""
