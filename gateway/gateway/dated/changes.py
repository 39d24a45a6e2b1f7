"""Every change of the contract that is not an addition. docs/versions.md says how one is written."""

from gateway.dated.chain import Change, Reply

_NO_CONTENT = 204


def _without_content(_reply: Reply) -> Reply:
    return Reply(_NO_CONTENT)


CHANGES = (
    Change(
        date="2026-11-01",
        operations=frozenset({"removeMember"}),
        summary="Removing a member answers 200 with the number of API keys that they made and that hold on."
        " It answered 204 without content before.",
        reply=_without_content,
    ),
)
