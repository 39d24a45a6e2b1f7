"""What auth tells a person of their account: all of it, and nothing of organizations that they left."""

import json
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from auth.app import App
from auth.domain.account_mails import MailKind
from auth.domain.api_keys import Rules
from auth.domain.audit import Action
from auth.domain.privacy import RequestKind, Subject
from auth.store import personal_data
from auth.tables import METADATA, RECOVERY_CODES, SCIM_USERS
from auth.usecases import api_keys, credentials, members, privacy_wishes
from servicekit import ids, privacy
from servicekit.identity import Caller

from .conftest import PLACE, People
from .staff import by, hire, invite, log_in, own_connection

OWNER, ODETTE = "paulette@example.org", "odette@example.org"
NETWORK, TILL = "203.0.113.0/24", "Till of the bar"


async def read(app: App, user_id: UUID | None) -> dict[str, list[dict[str, Any]]]:
    """As it is handed in."""
    assert user_id is not None
    async with app.db.begin_platform(reason="export an account in a test") as tx:
        kept = await personal_data.read_account(tx, user_id)
    told: dict[str, list[dict[str, Any]]] = json.loads(privacy.document(kept))
    return told


async def make_key(app: App, caller: Caller) -> None:
    """With rules that are the organization's alone."""
    assert caller.user is not None
    rules = Rules(TILL, frozenset({"bookings.read"}), networks=(NETWORK,))
    await api_keys.create_key(app, caller, rules, user_id=caller.user, by=by(caller))


async def test_whoever_left_learns_nothing_more_of_the_organization(app: App, people: People) -> None:
    await people.own(OWNER)
    owner = await log_in(people, OWNER)
    admin = await hire(people, owner, ODETTE, "admin")
    assert admin.user is not None
    await make_key(app, admin)
    before = await read(app, admin.user)
    (key,) = before["api_keys_made"]
    assert (key["name"], key["networks"]) == (TILL, [NETWORK])
    assert [
        each["after"] for each in before["audit_entries"] if each["action"] == Action.API_KEY_CREATED
    ] != [None]
    assert (before["api_keys_made_before"], before["audit_entries_before"]) == ([], [])
    await members.remove_member(app, owner, admin.user, by=by(owner))
    after = await read(app, admin.user)
    assert after["api_keys_made"] == []
    assert after["api_keys_made_before"] == [
        {name: key[name] for name in ("organization_id", "id", "created_at")}
    ]
    assert str(owner.tenant) not in {each["organization_id"] for each in after["audit_entries"]}
    (made,) = [each for each in after["audit_entries_before"] if each["action"] == Action.API_KEY_CREATED]
    assert made.keys() == {"organization_id", "id", "at", "action", "address"}
    assert made["address"] == PLACE
    assert not [word for word in (TILL, NETWORK) if word in json.dumps(after)]


async def test_whatever_names_the_account_is_told_and_no_secret_is(app: App, people: People) -> None:
    await people.own(OWNER)
    await people.own("marcel@example.org")
    owner = await log_in(people, OWNER)
    user = owner.user
    assert user is not None
    connection = await own_connection(app, owner, "corp.example")
    await invite(app, await log_in(people, "marcel@example.org"), OWNER)
    async with app.db.begin_platform(reason="ask to reset in a test") as tx:
        await credentials.ask_to_reset(tx, OWNER)
        code = {"user_id": user, "code_hash": bytes(32), "used_at": tx.now}
        await tx.execute(sa.insert(RECOVERY_CODES), code)
        row = {
            "organization_id": owner.tenant,
            "connection_id": connection.id,
            "id": ids.new(),
            "user_id": user,
        }
        said = {"external_id": "00u1", "granted_role": "host", "created_at": tx.now, "changed_at": tx.now}
        await tx.execute(sa.insert(SCIM_USERS), row | said)
    of_guest = await privacy_wishes.create_request(
        app,
        owner.tenant,
        user,
        RequestKind.EXPORT,
        Subject.of("guest@example.org", ""),
        key=None,
        by=by(owner),
    )
    told = await read(app, user)
    assert [each["external_id"] for each in told["scim_users"]] == ["00u1"]
    assert MailKind.PASSWORD_RESET in {each["kind"] for each in told["account_mails"]}
    assert [each["email"] for each in told["invitations"]] == [OWNER]
    assert [each.keys() for each in told["recovery_codes"]] == [{"user_id", "used_at"}]
    assert [each["id"] for each in told["privacy_requests"]] == [str(of_guest.id)]
    names = {name for rows in told.values() for row in rows for name in row}
    assert not {each for each in names if each.endswith(("hash", "salt", "secret")) or "sealed" in each}
    assert "invited_by" not in names


def test_every_table_that_names_a_user_is_told_or_left_out_for_a_reason() -> None:
    naming = {"user_id", "invited_by", "requested_by", "created_by"}
    named = {table.name for table in METADATA.tables.values() if naming & set(table.c.keys())}
    left_out = {
        "challenges": "five minutes, and nothing but the hash of a secret",
        "former_addresses": "keyed hashes: the addresses themselves are kept nowhere",
        "factor_attempts": "moments of an hour at most, for the limit alone",
        "scim_tokens": "the organization's, also while whoever made it is there",
    }
    told = {each.removesuffix("_made").removesuffix("_before") for each in personal_data.READ_ACCOUNT}
    assert named - told == left_out.keys() & named
    assert not told & left_out.keys()
