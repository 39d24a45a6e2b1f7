"""A browser's way to a log-in provider and back. Finds out who somebody is, and opens no session."""

from uuid import UUID

from auth.app import App
from auth.clients.openid import LogInProvider, Rejected, Return, Way
from auth.clients.web import Unanswered
from auth.domain import accounts, sso
from auth.domain.connections import Connection, ConnectionNotFound, bound_to, domain_of
from auth.domain.sso import (
    ATTEMPT_LIFETIME,
    Arrival,
    Assertion,
    Attempt,
    DomainNotVerified,
    ProviderFailed,
    StateInvalid,
)
from auth.store import connections as connection_store
from auth.store import sso as store
from servicekit import ids, telemetry
from servicekit.database import Transaction

_log = telemetry.logger(__name__)
_VERIFIER = b"sso attempt"


async def begin_sso(app: App, name: str, *, return_to: str, challenge: str, browser: str) -> str:
    """Where the browser is to go, to log in at a social network or by a connection.

    Raises:
        ReturnNotAllowed: it would come back to a foreign place.
        ConnectionNotFound: there is no such connection, or the social log-in is off.
        DomainNotVerified: the connection has no verified domain, so it could let nobody in.
        ProviderFailed: the provider does not answer as it must.
    """
    sso.allow_return(return_to, app.sso.app_origins)
    async with app.db.begin_platform(reason="find the connection of a log-in") as tx:
        connection = await find_connection(tx, name)
    if connection is not None and not connection.is_verified:
        raise DomainNotVerified
    provider = _provider(app, name, connection)
    state, nonce, verifier = sso.new_secret(), sso.new_secret(), sso.new_secret()
    way = Way(app.sso.callback_url(name), state, nonce, sso.pkce_challenge(verifier))
    try:
        location = await provider.send(way)
    except (Rejected, Unanswered) as error:
        raise _failed(name, error) from error
    state_hash = sso.hashed(state)
    sealed = app.seal.close_up(verifier.encode(), bound_to=_VERIFIER + state_hash)
    async with app.db.begin_platform(reason="begin a log-in at a provider") as tx:
        attempt = Attempt(
            state_hash,
            sso.hashed(browser),
            name,
            nonce,
            sealed,
            challenge,
            return_to,
            tx.now + ATTEMPT_LIFETIME,
        )
        await store.insert_attempt(tx, attempt)
    return location


async def finish_sso(
    app: App, name: str, *, state: str, code: str, issuer: str, error: str, browser: str
) -> str:
    """Where the browser is to go in the application: with a code that holds a minute, or with what failed.

    A state is used up by whoever comes with it. A browser that comes back at another place than the one of
    the provider that the state belongs to has a code of somebody else's, which is traded nowhere.

    Raises:
        StateInvalid: this browser has begun no such log-in, or not within ten minutes.
    """
    async with app.db.begin_platform(reason="finish a log-in at a provider") as tx:
        attempt = await store.take_attempt(tx, sso.hashed(state))
        connection = await find_connection(tx, attempt.connection) if attempt else None
    if attempt is None or not attempt.is_of(browser) or attempt.connection != name:
        raise StateInvalid
    if error or not code:
        return attempt.back(sso_error="SSO_DENIED")
    try:
        provider = _provider(app, attempt.connection, connection)
        assertion = await _receive(app, provider, attempt, code=code, issuer=issuer)
    except (ProviderFailed, ConnectionNotFound) as refusal:
        return attempt.back(sso_error=refusal.reason)
    async with app.db.begin_platform(reason="keep who came back from a provider") as tx:
        asked = connection.provider.identity if connection else None
        secret, arrival = Arrival.of(attempt, assertion, tx.now, provider=asked)
        await store.insert_arrival(tx, arrival)
    return attempt.back(sso_code=secret)


async def find_sso(app: App, email: str) -> tuple[list[str], UUID | None]:
    """The social log-ins that are on, and the connection of the address's domain. Asks for no account."""
    domain = domain_of(accounts.normalise_email(email))
    async with app.db.begin_platform(reason="find the connection of a domain") as tx:
        found = await connection_store.find_by_domain(tx, domain) if domain else None
    return sorted(app.sso.social), found


async def find_connection(tx: Transaction, name: str) -> Connection | None:
    """The connection that a browser names by its typed id; None for a social log-in.

    Raises:
        ConnectionNotFound: there is none.
    """
    if "_" not in name:
        return None
    found = await connection_store.find_connection(tx, ids.parse("con", name, ConnectionNotFound))
    if found is None:
        raise ConnectionNotFound
    return found


async def _receive(
    app: App, provider: LogInProvider, attempt: Attempt, *, code: str, issuer: str
) -> Assertion:
    verifier = app.seal.open_up(attempt.sealed_verifier, bound_to=_VERIFIER + attempt.state_hash).decode()
    back_at = app.sso.callback_url(attempt.connection)
    try:
        return await provider.receive(Return(code, issuer, back_at, attempt.nonce, verifier))
    except (Rejected, Unanswered) as error:
        raise _failed(attempt.connection, error) from error


def _provider(app: App, name: str, connection: Connection | None) -> LogInProvider:
    if connection is None:
        social = app.providers.social(name)
        if social is None:
            raise ConnectionNotFound
        return social
    secret = app.seal.open_up(connection.sealed_secret, bound_to=bound_to(connection.id)).decode()
    provider = connection.provider
    return app.providers.openid(
        provider.issuer, provider.client_id, secret, role_claim=connection.rules.role_claim
    )


def _failed(name: str, error: Exception) -> ProviderFailed:
    _log.warning("sso_provider_failed", connection=name, why=str(error))
    return ProviderFailed()
