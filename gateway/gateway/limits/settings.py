"""How many requests may come, in how many seconds. One setting for each policy."""

import re
from typing import Annotated

from pydantic import AfterValidator

from gateway.limits.gcra import Quota
from servicekit.settings import Part

_TEXT = re.compile(r"([0-9]{1,9})/([0-9]{1,6})")


def quota(text: str) -> Quota:
    """The quota that a text like "100/900" says. Raises ValueError."""
    found = _TEXT.fullmatch(text)
    if found is None:
        message = "must be requests/seconds, like 100/900"
        raise ValueError(message)
    return Quota(int(found[1]), int(found[2]))


def _refuse_others(text: str) -> str:
    quota(text)
    return text


_Text = Annotated[str, AfterValidator(_refuse_others)]
"""Not the quota itself: what is no plain text, the environment would have to give as JSON."""


class RateSettings(Part):
    """Each as "requests/seconds": so many at once, coming back evenly."""

    anonymous: _Text = "100/900"
    """Without credentials, from one address (IPv6: one network of 64 bits)."""
    unvalidated: _Text = "300/900"
    """With credentials that this gateway has yet to validate, right or wrong, from one address."""
    key: _Text = "1000/60"
    """By one API key."""
    member: _Text = "600/60"
    """By one person, or one operator of the platform."""
    organization: _Text = "6000/60"
    """By all members and keys of one organization."""
    login: _Text = "5/900"
    """Log-ins to one account from one address, right or wrong."""
    reset: _Text = "3/3600"
    """Mails that let in again, asked for one account from one address."""
