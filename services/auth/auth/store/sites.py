"""Origins, own domains and themes. What changes in the eyes of gateways is noted with its time."""

from collections import defaultdict
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from auth.domain.connections import Domain
from auth.domain.sites import Look, Origin, OriginExists, Site, Theme, WebDomain, WebDomainExists
from auth.tables import ORIGINS, SITE_CHANGES, THEMES, WEB_DOMAINS
from servicekit import database
from servicekit.database import Transaction
from servicekit.errors import Busy

_organization = sa.bindparam("organization", type_=sa.Uuid)
_wanted = sa.bindparam("wanted", type_=sa.Uuid)
_since = sa.bindparam("since", type_=SITE_CHANGES.c.changed_at.type)
_one_domain = sa.and_(WEB_DOMAINS.c.organization_id == _organization, WEB_DOMAINS.c.id == _wanted)

_LIST_ORIGINS = (
    sa.select(ORIGINS).where(ORIGINS.c.organization_id == _organization).order_by(ORIGINS.c.origin)
)
_INSERT_ORIGIN = sa.insert(ORIGINS)
_DELETE_ORIGIN = (
    sa.delete(ORIGINS)
    .where(ORIGINS.c.organization_id == _organization, ORIGINS.c.id == _wanted)
    .returning(ORIGINS.c.id, ORIGINS.c.origin)
)
_LIST_DOMAINS = (
    sa.select(WEB_DOMAINS)
    .where(WEB_DOMAINS.c.organization_id == _organization)
    .order_by(WEB_DOMAINS.c.domain)
)
_INSERT_DOMAIN = sa.insert(WEB_DOMAINS)
_DELETE_DOMAIN = sa.delete(WEB_DOMAINS).where(_one_domain)
_SAVE_DOMAIN = (
    sa.update(WEB_DOMAINS)
    .where(_one_domain)
    .values(
        verified_at=sa.bindparam("seen_at", type_=WEB_DOMAINS.c.verified_at.type),
        missing_since=sa.bindparam("missing", type_=WEB_DOMAINS.c.missing_since.type),
        missed=sa.bindparam("times", type_=sa.SmallInteger),
    )
)
_FIND_VERIFIED = sa.select(WEB_DOMAINS.c.id).where(
    WEB_DOMAINS.c.domain == sa.bindparam("called", type_=sa.Text), WEB_DOMAINS.c.verified_at.is_not(None)
)
_GET_THEME = sa.select(THEMES).where(THEMES.c.organization_id == _organization)
_insert_theme = insert(THEMES)
_SAVE_THEME = _insert_theme.on_conflict_do_update(
    index_elements=["organization_id"],
    set_={
        name: _insert_theme.excluded[name]
        for name in ("version", "name", "logo_url", "background", "text", "accent")
    },
)
_insert_change = insert(SITE_CHANGES)
_NOTE_CHANGE = _insert_change.on_conflict_do_update(
    index_elements=["organization_id"], set_={"changed_at": _insert_change.excluded.changed_at}
)
_CHANGED = sa.select(SITE_CHANGES.c.organization_id)
_CHANGED_SINCE = _CHANGED.where(SITE_CHANGES.c.changed_at >= _since)
_organizations = sa.bindparam("organizations", expanding=True, type_=sa.Uuid)
_ORIGINS_OF = sa.select(ORIGINS.c.organization_id, ORIGINS.c.origin).where(
    ORIGINS.c.organization_id.in_(_organizations)
)
_DOMAINS_OF = sa.select(WEB_DOMAINS.c.organization_id, WEB_DOMAINS.c.domain).where(
    WEB_DOMAINS.c.organization_id.in_(_organizations), WEB_DOMAINS.c.verified_at.is_not(None)
)


async def list_origins(tx: Transaction, organization_id: UUID) -> list[Origin]:
    """Those of an organization, by their text."""
    rows = await tx.execute(_LIST_ORIGINS, {"organization": organization_id})
    return [Origin(row.id, row.origin) for row in rows]


async def insert_origin(tx: Transaction, organization_id: UUID, origin: Origin) -> None:
    """Keeps a new one. Raises OriginExists."""
    values = {"organization_id": organization_id, "id": origin.id, "origin": origin.origin}
    try:
        await tx.execute(_INSERT_ORIGIN, values)
    except IntegrityError as error:
        if database.constraint(error) == "origins_once":
            raise OriginExists from error
        raise
    await _note_change(tx, organization_id)


async def delete_origin(tx: Transaction, organization_id: UUID, origin_id: UUID) -> Origin | None:
    """Forgets one, and tells which; None when there is none."""
    values = {"organization": organization_id, "wanted": origin_id}
    row = (await tx.execute(_DELETE_ORIGIN, values)).one_or_none()
    if row is None:
        return None
    await _note_change(tx, organization_id)
    return Origin(row.id, row.origin)


async def list_domains(tx: Transaction, organization_id: UUID) -> list[WebDomain]:
    """Those of an organization, by name."""
    rows = await tx.execute(_LIST_DOMAINS, {"organization": organization_id})
    return [
        WebDomain(row.id, Domain(row.domain, row.token, row.verified_at, row.missing_since, row.missed))
        for row in rows
    ]


async def insert_domain(tx: Transaction, organization_id: UUID, claimed: WebDomain) -> None:
    """Keeps a claim. Raises WebDomainExists."""
    values = {
        "organization_id": organization_id,
        "id": claimed.id,
        "domain": claimed.domain.name,
        "token": claimed.domain.token,
    }
    try:
        await tx.execute(_INSERT_DOMAIN, values)
    except IntegrityError as error:
        if database.constraint(error) == "web_domains_once":
            raise WebDomainExists from error
        raise


async def is_verified_anywhere(tx: Transaction, name: str) -> bool:
    """Whether some organization has the domain. For platform transactions."""
    return (await tx.execute(_FIND_VERIFIED, {"called": name})).first() is not None


async def save_domain(tx: Transaction, organization_id: UUID, changed: WebDomain) -> None:
    """Keeps what became of one whose record was looked for.

    Raises:
        Busy: another organization gets it at the same moment.
    """
    domain = changed.domain
    values = {
        "organization": organization_id,
        "wanted": changed.id,
        "seen_at": domain.verified_at,
        "missing": domain.missing_since,
        "times": domain.missed,
    }
    try:
        await tx.execute(_SAVE_DOMAIN, values)
    except IntegrityError as error:
        if database.constraint(error) == "web_domains_verified":
            raise Busy from error
        raise
    await _note_change(tx, organization_id)


async def delete_domain(tx: Transaction, organization_id: UUID, domain_id: UUID) -> None:
    """Forgets one."""
    await tx.execute(_DELETE_DOMAIN, {"organization": organization_id, "wanted": domain_id})
    await _note_change(tx, organization_id)


async def get_theme(tx: Transaction, organization_id: UUID) -> Theme:
    """What holds; the default as long as nobody changed it."""
    row = (await tx.execute(_GET_THEME, {"organization": organization_id})).one_or_none()
    if row is None:
        return Theme()
    return Theme(row.version, Look(row.name, row.logo_url, row.background, row.text, row.accent))


async def save_theme(tx: Transaction, organization_id: UUID, theme: Theme) -> None:
    """Keeps what holds from now on."""
    look = theme.look
    values = {
        "organization_id": organization_id,
        "version": theme.version,
        "name": look.name,
        "logo_url": look.logo_url,
        "background": look.background,
        "text": look.text,
        "accent": look.accent,
    }
    await tx.execute(_SAVE_THEME, values)


async def list_sites(tx: Transaction, since: datetime | None) -> list[Site]:
    """All of the organizations where something changed since then, or ever. For platform transactions."""
    changed = await (tx.execute(_CHANGED) if since is None else tx.execute(_CHANGED_SINCE, {"since": since}))
    organizations = list(changed.scalars())
    if not organizations:
        return []
    asked = {"organizations": organizations}
    origins, domains = defaultdict[UUID, list[str]](list), defaultdict[UUID, list[str]](list)
    for row in await tx.execute(_ORIGINS_OF, asked):
        origins[row.organization_id].append(row.origin)
    for row in await tx.execute(_DOMAINS_OF, asked):
        domains[row.organization_id].append(row.domain)
    return [Site(each, tuple(origins[each]), tuple(domains[each])) for each in organizations]


async def _note_change(tx: Transaction, organization_id: UUID) -> None:
    await tx.execute(_NOTE_CHANGE, {"organization_id": organization_id, "changed_at": tx.now})
