"""The few pages that people see. Self-contained: what runs in them is named by its hash in the policy."""

import base64
import hashlib
from dataclasses import dataclass
from importlib.resources import files

_SELF_CONTAINED = (
    "default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Swagger UI writes style attributes and draws its icons from data: addresses.
_DOCUMENTATION = (
    "default-src 'none'; script-src 'self' {script}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Page:
    """A page and the Content-Security-Policy it is served with."""

    html: str
    policy: str


def page(name: str, *scripts: str) -> Page:
    """The page of one name with its script, behind those that it shares, and the common style put in."""
    style, script = _read("style.css"), "".join(_read(f"{each}.js") for each in (*scripts, name))
    html = _read(f"{name}.html")
    html = html.replace("<style></style>", f"<style>{style}</style>")
    html = html.replace("<script></script>", f"<script>{script}</script>")
    policy = _DOCUMENTATION if name == "docs" else _SELF_CONTAINED
    return Page(html, policy.format(script=_hash(script), style=_hash(style)))


def page_headers(shown: Page) -> list[tuple[bytes, bytes]]:
    """What a page is served with: its policy, no window that can reach it, no device that it may use."""
    return [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-security-policy", shown.policy.encode()),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ]


def swagger_ui(name: str) -> bytes:
    """A file of Swagger UI, as its package ships it: nothing is loaded from elsewhere."""
    return files("fastapi_offline").joinpath("static", name).read_bytes()


def _read(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
