"""How many requests may come, in how many seconds. One setting for each policy."""

import re
from typing import Annotated

from pydantic import BeforeValidator

from gateway.limits.gcra import Quota
from servicekit.settings import Part

_TEXT = re.compile(r"([0-9]{1,9})/([0-9]{1,6})")


def _read(value: object) -> object:
    """The quota that a text like "100/900" says. Raises ValueError."""
    if isinstance(value, Quota):
        return value
    found = _TEXT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        message = "must be requests/seconds, like 100/900"
        raise ValueError(message)
    return Quota(int(found[1]), int(found[2]))


_Quota = Annotated[Quota, BeforeValidator(_read)]


class RateSettings(Part):
    """Each as "requests/seconds": so many at once, coming back evenly."""

    anonymous: _Quota = Quota(100, 900)
    """Without credentials, from one address (IPv6: one network of 64 bits)."""
    unvalidated: _Quota = Quota(300, 900)
    """With credentials that this gateway has yet to validate, right or wrong, from one address."""
    key: _Quota = Quota(1000, 60)
    """By one API key."""
    member: _Quota = Quota(600, 60)
    """By one person, or one operator of the platform."""
    organization: _Quota = Quota(6000, 60)
    """By all members and keys of one organization."""
    login: _Quota = Quota(5, 900)
    """Log-ins to one account from one address, right or wrong."""
    reset: _Quota = Quota(3, 3600)
    """Mails that let in again, asked for one account from one address."""
