"""The social log-ins: GitHub and Facebook, which speak OAuth 2 and not OpenID, and which ones are on."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from auth.clients.openid import Issuers, LogInProvider, OpenIdProvider, Rejected, Return, Way
from auth.clients.web import Web
from auth.domain import accounts
from auth.domain.sso import Assertion
from auth.settings import SocialSettings, SsoSettings

_GOOGLE = "https://accounts.google.com"
_GITHUB = "https://github.com"
_FACEBOOK = "https://www.facebook.com"
_FACEBOOK_GRAPH = "https://graph.facebook.com"


@dataclass(frozen=True)
class GitHub:
    """github.com, or an Enterprise Server: a number says who somebody is, and the primary address counts."""

    web: Web
    settings: SocialSettings

    async def send(self, way: Way) -> str:
        """The authorization request."""
        asked = {
            "client_id": self.settings.client_id,
            "redirect_uri": way.redirect_uri,
            "scope": "read:user user:email",
            "state": way.state,
            "code_challenge": way.challenge,
            "code_challenge_method": "S256",
        }
        return f"{self._site}/login/oauth/authorize?{urlencode(asked)}"

    async def receive(self, given: Return) -> Assertion:
        """Trades the code, and asks who it was."""
        if given.issuer not in ("", f"{self._site}/login/oauth"):
            raise Rejected("iss_of_answer")
        tokens = await self.web.post(f"{self._site}/login/oauth/access_token", _trade(self.settings, given))
        access = _access(tokens)
        user = await self.web.get(f"{self._api}/user", token=access)
        emails = await self.web.get(f"{self._api}/user/emails", token=access)
        if not isinstance(user, dict) or not isinstance(user.get("id"), int) or not isinstance(emails, list):
            raise Rejected("user")
        verified = [
            str(each.get("email"))
            for each in emails
            if isinstance(each, dict) and each.get("verified") is True and each.get("primary") is True
        ]
        return Assertion(
            issuer=self._site,
            subject=str(user["id"]),
            email=accounts.normalise_email(verified[0]) if verified else "",
            name=str(user.get("name") or user.get("login") or ""),
        )

    @property
    def _site(self) -> str:
        return self.settings.base_url or _GITHUB

    @property
    def _api(self) -> str:
        return f"{self.settings.base_url}/api/v3" if self.settings.base_url else "https://api.github.com"


@dataclass(frozen=True)
class Facebook:
    """facebook.com. It does not say whether an address is verified: the settings say what is believed."""

    web: Web
    settings: SocialSettings

    async def send(self, way: Way) -> str:
        """The authorization request."""
        asked = {
            "client_id": self.settings.client_id,
            "redirect_uri": way.redirect_uri,
            "response_type": "code",
            "scope": "email,public_profile",
            "state": way.state,
            "code_challenge": way.challenge,
            "code_challenge_method": "S256",
        }
        return f"{self.settings.base_url or _FACEBOOK}/dialog/oauth?{urlencode(asked)}"

    async def receive(self, given: Return) -> Assertion:
        """Trades the code, and asks who it was."""
        graph = self.settings.base_url or _FACEBOOK_GRAPH
        access = _access(await self.web.post(f"{graph}/oauth/access_token", _trade(self.settings, given)))
        user = await self.web.get(f"{graph}/me?fields=id,name,email", token=access)
        if not isinstance(user, dict) or not isinstance(user.get("id"), str) or not user["id"]:
            raise Rejected("user")
        email = accounts.normalise_email(str(user.get("email") or ""))
        return Assertion(
            issuer=self.settings.base_url or _FACEBOOK,
            subject=user["id"],
            email=email if self.settings.trust_email else "",
            name=str(user.get("name") or ""),
        )


class Providers:
    """Everybody whom people can log in at."""

    def __init__(self, settings: SsoSettings) -> None:
        """Must be made in the loop that uses it."""
        self._settings = settings
        self.web = Web(settings)
        self.issuers = Issuers(self.web)

    def social(self, name: str) -> LogInProvider | None:
        """A social one; None when it is off."""
        for social, settings in self._settings.social.items():
            if social == name:
                return self._social(social, settings)
        return None

    def openid(self, issuer: str, client_id: str, client_secret: str, *, role_claim: str) -> LogInProvider:
        """That of an organization's connection."""
        return OpenIdProvider(self.issuers, issuer, client_id, client_secret, role_claim)

    async def close(self) -> None:
        """Closes what is open."""
        await self.web.close()

    def _social(self, name: str, settings: SocialSettings) -> LogInProvider:
        match name:
            case "github":
                return GitHub(self.web, settings)
            case "facebook":
                return Facebook(self.web, settings)
        secret = settings.client_secret.get_secret_value()
        return OpenIdProvider(self.issuers, settings.base_url or _GOOGLE, settings.client_id, secret)


def _trade(settings: SocialSettings, given: Return) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "client_id": settings.client_id,
        "client_secret": settings.client_secret.get_secret_value(),
        "code": given.code,
        "redirect_uri": given.redirect_uri,
        "code_verifier": given.verifier,
    }


def _access(tokens: dict[str, Any]) -> str:
    access = tokens.get("access_token")
    if not isinstance(access, str) or not access:
        raise Rejected("access_token")
    return access
