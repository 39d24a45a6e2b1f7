"""Passwords that are asked for in sessions are counted by person: more sessions give no more tries."""

import pytest

from auth.app import App
from auth.domain.accounts import InvalidCredentials, TooManyAttempts
from auth.domain.challenges import Factor
from auth.domain.sessions import Session, SessionTokens
from auth.store import accounts as account_store
from auth.usecases import credentials, operator_log_in, organizations, own_sessions, sessions

from .conftest import BROWSER, PASSWORD, PLACE, People
from .holders import Holder
from .operating import OTHER_WORDS, WORDS, Agent
from .providers_of_people import connect, with_dns
from .staff import hire, log_in
from .test_guessing import at
from .test_own_sessions import by
from .test_reach_of_connections import arrive

OWNER, SWANN = "paulette@corp.example", "swann@corp.example"
WRONG = "a guess and another"
NEIGHBOUR = "192.0.2.200"


async def renew(app: App, session: Session, password: str = WRONG) -> SessionTokens:
    return await own_sessions.reauthenticate(
        app, session.user_id, session.id, password=password, by=by(session)
    )


async def change(app: App, session: Session, old: str = WRONG) -> None:
    new = "ten kingfishers by the weir"
    await credentials.change_password(app, session.user_id, session.id, old=old, new=new, by=by(session))


async def switch(app: App, people: People, session: Session) -> Session:
    """Into the organization where one is already: another session without a password."""
    tokens = await organizations.switch_organization(
        app, session.user_id, session.id, session.organization_id, by=by(session), user_agent=BROWSER
    )
    return await people.session(tokens)


async def test_a_stolen_session_that_switches_has_five_guesses_all_the_same(app: App, people: People) -> None:
    await people.own(OWNER)
    session = await people.session(await people.log_in(OWNER))
    for number in range(5):
        with pytest.raises(InvalidCredentials):
            await (change if number % 2 else renew)(app, session)
        session = await switch(app, people, session)
    for each in (renew, change):
        with pytest.raises(TooManyAttempts):
            await each(app, session, PASSWORD)
    elsewhere = await people.session(await people.log_in(OWNER))
    with pytest.raises(TooManyAttempts):
        await renew(app, elsewhere, PASSWORD)


async def test_who_comes_again_by_a_connection_has_no_more_guesses(app: App, people: People) -> None:
    app = with_dns(app)
    await people.own(OWNER)
    owner = await log_in(people, OWNER)
    await hire(people, owner, SWANN)
    connection = await connect(app, owner, "corp.example")
    for refusal in [InvalidCredentials] * 5 + [TooManyAttempts]:
        tokens = await arrive(app, connection, SWANN)
        assert isinstance(tokens, SessionTokens)
        with pytest.raises(refusal):
            await renew(app, await people.session(tokens))
    assert (await people.log_in(SWANN)).access_token


async def test_the_owner_clears_no_guesses_of_a_thief_until_another_password_is_set(
    app: App, people: People
) -> None:
    await people.own(OWNER)
    stolen, own = [await people.session(await people.log_in(OWNER)) for _ in range(2)]
    for _ in range(4):
        with pytest.raises(InvalidCredentials):
            await renew(app, stolen)
    assert await renew(app, own, PASSWORD)
    for refusal in (InvalidCredentials, TooManyAttempts):
        with pytest.raises(refusal):
            await renew(app, stolen)
    new = await app.passwords.hash("ten kingfishers by the weir")
    async with app.db.begin_platform(reason="set a password in a test") as tx:
        await account_store.save_password(tx, own.user_id, new)
    assert await renew(app, own, "ten kingfishers by the weir")


async def test_neighbours_with_the_same_browser_lock_nobody_out_of_a_remembered_device(
    app: App, people: People
) -> None:
    """Nor out of a session. As the review found it: they shared the count of what we knew the owner by."""
    paulette = await (await Holder.register(app, people, OWNER)).add_totp()
    tokens, device_token = await paulette.answer(
        await paulette.challenge(), Factor.TOTP, paulette.code(), remember=True
    )
    for refusal in [InvalidCredentials] * 5 + [TooManyAttempts]:
        with pytest.raises(refusal):
            await sessions.log_in(app, OWNER, WRONG, by=at(NEIGHBOUR), user_agent=BROWSER)
    assert isinstance(await paulette.knock(device_token=device_token), SessionTokens)
    with pytest.raises(TooManyAttempts):
        await paulette.knock()
    session = await people.session(tokens)
    with pytest.raises(InvalidCredentials):
        await renew(app, session)


async def test_an_operators_sessions_count_together_and_apart_from_log_ins(app: App) -> None:
    sylvie = await Agent.add(app)
    first, second = [await sylvie.session(await sylvie.log_in()) for _ in range(2)]

    async def guess(session: Session, *, change: bool, password: str = WRONG) -> None:
        if change:
            await operator_log_in.change_operator_password(
                app, sylvie.id, session.id, old=password, new=OTHER_WORDS, by=sylvie.by
            )
        else:
            await operator_log_in.reauthenticate_operator(
                app, sylvie.id, session.id, password=password, code=sylvie.code(), by=sylvie.by
            )

    for number in range(5):
        with pytest.raises(InvalidCredentials):
            await guess((first, second)[number % 2], change=number > 2)
    for session in (first, second):
        with pytest.raises(TooManyAttempts):
            await guess(session, change=False, password=WORDS)
    assert await sylvie.knock()
    for refusal in [InvalidCredentials] * 5 + [TooManyAttempts]:
        with pytest.raises(refusal):
            await operator_log_in.log_in_operator(app, sylvie.email, WRONG, by=at(PLACE))
