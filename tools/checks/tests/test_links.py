"""Links lead somewhere."""

from pathlib import Path

import pytest

from tools.checks import links

OTHER = "# Other\n\n## What it does: `make up`\n\n## Twice\n\n## Twice\n"


def test_the_links_of_the_tree_lead_somewhere() -> None:
    assert list(links.check()) == []


@pytest.mark.parametrize(
    "text",
    [
        "[gone](gone.md)",
        "[gone](docs/gone.md#here)",
        "[no heading](other.md#nothing)",
        "[no heading here](#nothing)",
        "![picture](picture.svg)",
        '[titled](gone.md "Title")',
    ],
)
def test_a_link_that_leads_nowhere_is_found(text: str, tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text(OTHER)
    assert list(links.broken(text, tmp_path / "readme.md", tmp_path))


@pytest.mark.parametrize(
    "text",
    [
        "[there](other.md)",
        "[heading](other.md#what-it-does-make-up)",
        "[second](other.md#twice-1)",
        "[from the root](/other.md)",
        "# Here\n\n[here](#here)",
        "[foreign](https://example.org/gone)",
        "[mail](mailto:a@example.org)",
        "`[code](gone.md)`",
        "```\n[fenced](gone.md)\n```",
    ],
)
def test_a_link_that_leads_somewhere_passes(text: str, tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text(OTHER)
    page = tmp_path / "readme.md"
    page.write_text(text)
    assert list(links.broken(text, page, tmp_path)) == []
