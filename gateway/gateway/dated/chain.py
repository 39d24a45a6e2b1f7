"""Changes of the contract, and how they add up. Pure functions of JSON documents: no I/O, no clock."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TypeAlias

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"


@dataclass(frozen=True, slots=True)
class Reply:
    """A success: its status, and its document, which status 204 has not."""

    status: int
    document: Json = None


def _same_request(document: Json) -> Json:
    return document


def _same_reply(reply: Reply) -> Reply:
    return reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one version changed. Both functions get documents of their own, which they may alter."""

    date: str
    """The version that brought it."""
    operations: frozenset[str]
    """The ids of the operations that it is about."""
    summary: str
    """What integrators read, in one sentence or two."""
    request: Callable[[Json], Json] = _same_request
    """The body as it was before → as it is since. It gets a JSON value that nobody has checked."""
    reply: Callable[[Reply], Reply] = _same_reply
    """The answer as it is since → as it was before."""

    @property
    def turns_requests(self) -> bool:
        """Whether it is about requests at all."""
        return self.request is not _same_request


Steps: TypeAlias = Sequence[Change]
"""Changes, the oldest first."""


class Chain:
    """The changes of one operation, by the version of whoever asks."""

    def __init__(self, operation: str, changes: Collection[Change], versions: Collection[str]) -> None:
        mine = sorted((each for each in changes if operation in each.operations), key=lambda each: each.date)
        self._steps = {version: tuple(each for each in mine if each.date > version) for version in versions}

    def steps(self, version: str) -> Steps:
        """What lies between a version and the newest one."""
        return self._steps[version]


def newer(document: Json, steps: Steps) -> Json:
    """A request's body of an old version as one of the newest."""
    return reduce(lambda document, step: step.request(document), steps, document)


def older(reply: Reply, steps: Steps) -> Reply:
    """An answer of the newest version as one of an old version."""
    return reduce(lambda reply, step: step.reply(reply), reversed(steps), reply)
