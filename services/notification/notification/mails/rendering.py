"""A letter as HTML and as text, from one layout each. The HTML layout escapes everything it is given."""

from functools import cache
from pathlib import Path

import css_inline
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from notification.mails.letters import Letter

_TEMPLATES = Path(__file__).with_name("templates")

_html = Environment(
    loader=FileSystemLoader(_TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_text = Environment(  # plain text: there is nothing to escape
    loader=FileSystemLoader(_TEMPLATES),
    autoescape=False,  # noqa: S701
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_inliner = css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)


def html(letter: Letter) -> str:
    """The HTML part, its style written into the elements for clients that drop style sheets."""
    page = _html.get_template("mail.html.j2").render(letter=letter, style=_style())
    return _inliner.inline(page)


def text(letter: Letter) -> str:
    """The text part."""
    return _text.get_template("mail.txt.j2").render(letter=letter)


@cache
def _style() -> Markup:
    return Markup((_TEMPLATES / "mail.css").read_text(encoding="utf-8"))  # noqa: S704  # our own file
