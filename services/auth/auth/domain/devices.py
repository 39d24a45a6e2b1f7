"""Names a device for its owner, from what its browser says. For people to read, never to decide by."""

import re

_UNKNOWN = "Unknown device"
_LONGEST = 60
# The first that fits: browsers that are built on others say the others' names too.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
_PRODUCT = re.compile(r"[A-Za-z][A-Za-z0-9._-]*(?: [A-Za-z][A-Za-z0-9._-]*)*")


def device_name(user_agent: str) -> str:
    """A short name like "Firefox on Linux"; the program's own name for what is no browser, like "curl"."""
    browser = _first(_BROWSERS, user_agent) if user_agent.startswith("Mozilla/") else ""
    system = _first(_SYSTEMS, user_agent)
    if browser:
        return f"{browser} on {system}" if system else browser
    product = _PRODUCT.match(user_agent)
    if product is None or user_agent.startswith("Mozilla/"):
        return system or _UNKNOWN
    return product.group()[:_LONGEST]


def _first(names: tuple[tuple[str, str], ...], user_agent: str) -> str:
    return next((name for token, name in names if token in user_agent), "")
