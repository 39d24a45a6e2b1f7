"""One suite over the software authenticator and over Chromium's virtual one, which it stands for.

Chromium takes part when `COMPTOIR_TEST_CHROMIUM` names its program: `make test-chromium`.
"""

import os
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import pytest

from auth.relying_party import RelyingParty, Unacceptable
from auth.settings import WebAuthnSettings
from testkit.authenticator import Authenticator, Unwilling

from . import chromium

CHROMIUM = os.environ.get("COMPTOIR_TEST_CHROMIUM", "")
LIFETIME = timedelta(seconds=300)
USER = b"0123456789abcdef"


class Browser(Protocol):
    """A browser with an authenticator that holds nothing yet."""

    origin: str

    async def create(self, options: str) -> str: ...

    async def use(self, options: str) -> str: ...


class Software:
    """The software authenticator, as a browser."""

    def __init__(self, device: Authenticator) -> None:
        self.origin = device.origin
        self._device = device

    async def create(self, options: str) -> str:
        return self._device.create(options)

    async def use(self, options: str) -> str:
        return self._device.use(options)


@pytest.fixture(scope="module", params=["software", *(["chromium"] if CHROMIUM else [])])
async def real(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[chromium.Chromium | None]:
    if request.param == "software":
        yield None
        return
    profile: Path = tmp_path_factory.mktemp("chromium")
    async with chromium.started(CHROMIUM, profile) as started:
        yield started


@pytest.fixture(params=[False, True], ids=["one device", "synchronized"])
async def browser(request: pytest.FixtureRequest, real: chromium.Chromium | None) -> AsyncIterator[Browser]:
    if real is None:
        yield Software(Authenticator(origin="http://localhost:8080", synchronized=request.param))
        return
    authenticator = await real.add_authenticator(synchronized=request.param)
    yield real
    await real.remove(authenticator)


def site_of(browser: Browser) -> RelyingParty:
    return RelyingParty(WebAuthnSettings(rp_id="localhost", origins=(browser.origin,)))


async def test_a_passkey_is_made_and_used_again_and_again(
    browser: Browser, request: pytest.FixtureRequest
) -> None:
    here, challenge = site_of(browser), secrets.token_bytes(32)
    options = here.creation_options(
        challenge, user_handle=USER, email="p@example.org", name="P", present=[], lifetime=LIFETIME
    )
    credential = await browser.create(options)
    assert here.read(credential).challenge == challenge
    made = here.verify_made(credential, challenge=challenge)
    assert "internal" in made.transports
    assert made.backup_eligible is made.backed_up is ("synchronized" in request.node.callspec.id)
    count = made.sign_count
    for _ in range(2):
        challenge = secrets.token_bytes(32)
        answer = await browser.use(here.request_options(challenge, lifetime=LIFETIME))
        claimed = here.read(answer)
        assert (claimed.challenge, claimed.user_handle) == (challenge, USER)
        assert claimed.credential_id == made.credential_id
        used = here.verify_used(
            answer,
            challenge=challenge,
            public_key=made.public_key,
            sign_count=count,
            backup_eligible=made.backup_eligible,
        )
        assert used.sign_count > count
        count = used.sign_count
    with pytest.raises(Unacceptable):
        here.verify_used(
            answer,
            challenge=challenge,
            public_key=made.public_key,
            sign_count=count,
            backup_eligible=made.backup_eligible,
        )


async def test_another_site_takes_nothing_of_it(browser: Browser) -> None:
    here, challenge = site_of(browser), secrets.token_bytes(32)
    options = here.creation_options(
        challenge, user_handle=USER, email="p@example.org", name="P", present=[], lifetime=LIFETIME
    )
    credential = await browser.create(options)
    elsewhere = RelyingParty(WebAuthnSettings(rp_id="localhost", origins=("http://localhost:1",)))
    with pytest.raises(Unacceptable):
        elsewhere.verify_made(credential, challenge=challenge)


async def test_the_browser_itself_makes_no_second_passkey_on_one_authenticator(browser: Browser) -> None:
    here, challenge = site_of(browser), secrets.token_bytes(32)

    def options(present: list[tuple[bytes, tuple[str, ...]]]) -> str:
        return here.creation_options(
            challenge, user_handle=USER, email="p@example.org", name="P", present=present, lifetime=LIFETIME
        )

    made = here.verify_made(await browser.create(options([])), challenge=challenge)
    with pytest.raises((chromium.Refused, Unwilling), match="InvalidStateError"):
        await browser.create(options([(made.credential_id, made.transports)]))
