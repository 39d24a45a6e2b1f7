"""What mails about accounts say: plain text in its parts, in the reader's language. Knows no HTML."""

from typing import Any
from urllib.parse import quote

from notification.domain.accounts import AccountMail, MissingDomain, OperatorVisit
from notification.mails.formats import Formats
from notification.mails.letters import Fact, Letter
from notification.mails.texts import language_of, load

_SENDER = "Comptoir"
_ZONE = "Etc/UTC"
"""Nobody's zone is known: a person may be anywhere."""
_PAGES = {
    "password_reset": "reset-password?token={token}",
    "email_change": "confirm-email?token={token}",
    "email_changed": "revert-email?token={token}",
    "password_changed": "forgot-password",
    "new_device": "forgot-password",
    "totp_added": "forgot-password",
    "totp_removed": "forgot-password",
    "passkey_added": "forgot-password",
    "passkey_removed": "forgot-password",
    "identity_linked": "forgot-password",
    "recovery_codes_renewed": "forgot-password",
    "recovery_code_used": "forgot-password",
}
"""Where a mail's link leads, below the public URL of the settings: nothing of a request decides it."""


def about_account(mail: AccountMail, *, public_url: str) -> Letter:
    """The letter about an account."""
    language = language_of(mail.language)
    texts = load(language)
    shared, own = texts["shared"], texts["account"][mail.kind]
    page = _PAGES.get(mail.kind, "").format(token=quote(mail.token, safe=""))
    return Letter(
        language=language,
        recipient=mail.email,
        recipient_name=mail.name,
        sender=_SENDER,
        subject=own["subject"].format(
            organization=mail.visit.organization if mail.visit else mail.organization,
            domain=mail.domain.domain if mail.domain else "",
        ),
        title=own["title"],
        greeting=shared["greeting"].format(name=mail.name),
        lead=own["lead"],
        quotation="",
        facts=_facts(mail, Formats(language), shared, own),
        button=own["button"] if page else "",
        link=f"{public_url.rstrip('/')}/{page}" if page else "",
        link_hint=shared["link_hint"],
        note=own["note"],
        small_print=[shared["footer_own_account"].format(email=mail.email)],
        colon=shared["colon"],
    )


def _facts(mail: AccountMail, formats: Formats, shared: dict[str, str], own: dict[str, Any]) -> list[Fact]:
    if mail.domain is not None:
        return _facts_of_domain(mail.domain, formats, shared, own)
    if not (mail.device or mail.address or mail.organization) and mail.visit is None:
        return []
    at = mail.occurred_at
    when = shared["moment"].format(date=formats.date(at, _ZONE), time=formats.time(at, _ZONE))
    facts = [
        *(_facts_of_visit(mail.visit, formats, own) if mail.visit else []),
        *([Fact(own["organization"], mail.organization)] if mail.organization else []),
        Fact(shared["device"], mail.device),
        Fact(shared["network_address"], mail.address),
        Fact(shared["when"], when, "UTC"),
    ]
    return [fact for fact in facts if fact.value]


def _facts_of_visit(visit: OperatorVisit, formats: Formats, own: dict[str, Any]) -> list[Fact]:
    length = own["minutes"][formats.plural(visit.minutes)].format(count=visit.minutes)
    return [
        Fact(own["to"], visit.organization),
        Fact(own["who"], visit.operator),
        Fact(own["why"], visit.reason, visit.ticket),
        Fact(own["how_long"], length),
        Fact(own["what"], own["writes"] if visit.write else own["looks"]),
    ]


def _facts_of_domain(
    missing: MissingDomain, formats: Formats, shared: dict[str, str], own: dict[str, Any]
) -> list[Fact]:
    facts = [Fact(own["domain"], missing.domain)]
    until = missing.verified_until
    if until is not None:
        moment = {"date": formats.date(until, _ZONE), "time": formats.time(until, _ZONE)}
        facts.append(Fact(own["until"], shared["moment"].format(**moment), "UTC"))
    return facts
