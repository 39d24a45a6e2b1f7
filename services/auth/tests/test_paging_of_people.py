"""Lists of people and operators, walked while rows come and go: what stays is seen once, nothing twice."""

from collections.abc import Awaitable, Callable
from functools import partial
from operator import attrgetter
from typing import Any

import pytest
from hypothesis import given

from auth.domain.challenges import Factor
from auth.domain.sso import SOCIAL, Assertion
from auth.store import sso as sso_store
from auth.tables import (
    IDENTITIES,
    OPERATOR_ACCESSES,
    OPERATOR_SESSIONS,
    OPERATORS,
    ORGANIZATIONS,
    PASSKEYS,
    PRIVACY_REQUESTS,
    REMEMBERED_DEVICES,
    SESSIONS,
)
from auth.usecases import (
    identities,
    operator_access,
    operator_sessions,
    operators,
    own_sessions,
    passkeys,
    privacy_wishes,
    second_steps,
)
from testkit.authenticator import Authenticator
from testkit.paging import PLANS, WALKS, WHOLE, Listing, Plan, walk

from .conftest import People
from .holders import Holder
from .operating import OWNER, Agent, Scene
from .staff import by
from .walked import House, addressed, hashed, since


async def _devices(house: House) -> Listing:
    holder = await Holder(house.app, house.user, OWNER).add_totp()
    await holder.answer(await holder.challenge(), Factor.TOTP, holder.code(), remember=True)
    (device,), _ = await second_steps.list_remembered_devices(house.app, house.user, WHOLE)
    read = partial(second_steps.list_remembered_devices, house.app, house.user)
    return house.copies(REMEMBERED_DEVICES.c.id, device.id, read, vary=hashed("token_hash"))


async def _identities(house: House) -> Listing:
    assertion = Assertion("https://login.example", "somebody", OWNER, "Somebody")
    async with house.begin() as tx:
        await sso_store.insert_identity(tx, SOCIAL, assertion, house.user)
    read = partial(identities.list_identities, house.app, house.user)
    return house.copies(IDENTITIES.c.realm, SOCIAL, read, vary=since, keys=2, shown=attrgetter("realm"))


async def _passkeys(house: House) -> Listing:
    await Holder(house.app, house.user, OWNER).add_passkey(Authenticator())
    (passkey,), _ = await passkeys.list_passkeys(house.app, house.user, WHOLE)
    read = partial(passkeys.list_passkeys, house.app, house.user)
    return house.copies(PASSKEYS.c.id, passkey.id, read, vary=hashed("credential_id"))


async def _exports(house: House) -> Listing:
    request = await privacy_wishes.export_account(house.app, house.user, by=by(house.owner))
    read = partial(privacy_wishes.list_own_exports, house.app, house.user)
    return house.copies(PRIVACY_REQUESTS.c.id, request.id, read, vary=hashed("subject_hash"))


async def _sessions(house: House) -> Listing:
    read = partial(own_sessions.list_sessions, house.app, house.user)
    return house.copies(SESSIONS.c.id, house.owner.session, read)


async def _operator_sessions(house: House) -> Listing:
    agent = await Agent.add(house.app)
    session = await agent.session(await agent.log_in())
    read = partial(operator_sessions.list_operator_sessions, house.app, agent.id)
    return house.copies(OPERATOR_SESSIONS.c.id, session.id, read)


async def _operators(house: House) -> Listing:
    agent = await Agent.add(house.app)
    read = partial(operators.list_operators, house.app)
    return house.copies(OPERATORS.c.id, agent.id, read, vary=addressed)


async def _found(house: House) -> Listing:
    read = partial(operator_access.search_organizations, house.app, "chez")
    return house.copies(ORGANIZATIONS.c.id, house.organization, read)


async def _accesses(house: House, listed: Callable[..., Any], *, to_all: bool = False) -> Listing:
    scene = Scene(house.app, house.people, house.organization, await Agent.add(house.app))
    access, _ = await scene.begin()
    read = partial(listed, house.app, None if to_all else house.organization)
    return house.copies(OPERATOR_ACCESSES.c.id, access.id, read)


LISTS: dict[str, Callable[[House], Awaitable[Listing]]] = {
    "FactorService.ListRememberedDevices": _devices,
    "FactorService.ListIdentities": _identities,
    "PasskeyService.ListPasskeys": _passkeys,
    "MyDataService.ListMyDataExports": _exports,
    "SessionService.ListSessions": _sessions,
    "OperatorSessionService.ListOperatorSessions": _operator_sessions,
    "OperatorService.ListOperators": _operators,
    "OperatorAccessService.SearchOrganizations": _found,
    "OperatorAccessService.ListAllOperatorAccess": partial(
        _accesses, listed=operator_access.list_all_access, to_all=True
    ),
    "OperatorAccessService.ListAllOperatorAccess to one organization": partial(
        _accesses, listed=operator_access.list_all_access
    ),
    "OperatorVisitService.ListOperatorAccess": partial(_accesses, listed=operator_access.list_access_to),
}


@pytest.fixture(params=LISTS)
async def listing(request: pytest.FixtureRequest, people: People) -> Listing:
    return await LISTS[request.param](await House.open(people))


@WALKS
@given(plan=PLANS)
async def test_what_stays_is_seen_once_and_nothing_twice(listing: Listing, plan: Plan) -> None:
    await walk(listing, plan)
