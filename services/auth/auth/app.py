"""What the use cases need."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from auth.clients.guests import Guests
from auth.clients.social import Providers
from auth.clients.txt_records import LookUpTxt, dns_look_up
from auth.domain.limits import GuessLimits
from auth.domain.plans import PLANS, Plan
from auth.domain.sessions import Lifetimes
from auth.hashing import Passwords
from auth.relying_party import RelyingParty
from auth.sealing import Seal
from auth.settings import Settings, SsoSettings
from auth.tokens import Keyring
from servicekit.database import Database
from servicekit.runtime import Resources


@dataclass(frozen=True, slots=True)
class App:
    """The dependencies of auth."""

    db: Database
    passwords: Passwords
    keyring: Keyring
    lifetimes: Lifetimes
    seal: Seal
    relying_party: RelyingParty
    providers: Providers = field(kw_only=True)
    sso: SsoSettings = field(default_factory=SsoSettings, kw_only=True)
    look_up_txt: LookUpTxt = field(default_factory=dns_look_up, kw_only=True)
    guests: Guests = field(kw_only=True)
    plans: Mapping[str, Plan] = field(default_factory=lambda: PLANS, kw_only=True)
    guessing: GuessLimits = field(default_factory=GuessLimits.of, kw_only=True)


@asynccontextmanager
async def open_app(resources: Resources[Settings]) -> AsyncIterator[App]:
    """Reads the keys and starts the hashing threads; ends them afterwards."""
    settings = resources.settings
    keyring = Keyring.load(settings.access_token_key_file, settings.second_access_token_key_file)
    passwords = Passwords(settings.hashing)
    providers = Providers(settings.sso)
    try:
        yield App(
            db=resources.db,
            passwords=passwords,
            keyring=keyring,
            lifetimes=lifetimes_of(settings),
            seal=Seal(settings.encryption_key()),
            relying_party=RelyingParty(settings.webauthn),
            providers=providers,
            sso=settings.sso,
            guests=Guests(booking=resources.peer("booking"), payment=resources.peer("payment")),
            plans=plans_of(settings),
            guessing=GuessLimits.of(**settings.guessing.model_dump()),
        )
    finally:
        passwords.close()
        await providers.close()


def plans_of(settings: Settings) -> Mapping[str, Plan]:
    """What each plan allows."""
    return {**PLANS, **{name: Plan(**plan.model_dump()) for name, plan in settings.plans.items()}}


def lifetimes_of(settings: Settings) -> Lifetimes:
    """How long tokens and sessions hold."""
    return Lifetimes(
        access_token=timedelta(seconds=settings.access_token_seconds),
        session=timedelta(days=settings.session_days),
        idle=timedelta(days=settings.session_idle_days),
    )
