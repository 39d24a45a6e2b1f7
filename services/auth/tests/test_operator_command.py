"""`python -m auth operators …`: what it prints, what it refuses, and that it takes no secret."""

from argparse import ArgumentParser

import pytest

from auth.__main__ import SERVICE
from auth.app import App
from auth.domain.accounts import InvalidCredentials
from auth.domain.audit import PLATFORM_CHAIN, Action, ActorKind
from auth.domain.operators import OperatorExists, OperatorNotFound
from servicekit import ids

from .conftest import People
from .operating import Agent

EMAIL = "sylvie@platform.example"
VERB = SERVICE.verbs["operators"]


@pytest.fixture
def parser() -> ArgumentParser:
    made = ArgumentParser(exit_on_error=False)
    VERB.arguments(made)
    return made


async def run(app: App, parser: ArgumentParser, capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    await VERB.run(app, parser.parse_args(words))
    return capsys.readouterr().out.splitlines()


def secret_of(lines: list[str]) -> str:
    (found,) = [each.rpartition(": ")[2] for each in lines if each.startswith("enrolment secret")]
    return found


async def test_the_first_operator_is_made_enrols_and_is_listed(
    app: App, people: People, parser: ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    made = await run(app, parser, capsys, "add", "--email", EMAIL, "--role", "admin")
    who = made[0].split()[0]
    assert made[0] == f"{who} {EMAIL} admin not enrolled yet"
    agent = Agent(app, ids.parse("opr", who, OperatorNotFound), EMAIL)
    await agent.enrol(secret_of(made))
    assert (await agent.state()).display_name == "sylvie"
    assert await run(app, parser, capsys, "list") == [f"{who} {EMAIL} admin enrolled"]
    with pytest.raises(OperatorExists):
        await run(app, parser, capsys, "add", "--email", EMAIL, "--role", "support")
    (added, *_) = await people.log(PLATFORM_CHAIN)
    assert (added.action, added.actor_kind, added.target) == (
        Action.OPERATOR_ADDED,
        ActorKind.SYSTEM,
        who,
    )


async def test_a_lost_factor_and_a_leaver(
    app: App, parser: ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    agent = await Agent.add(app, EMAIL)
    token = secret_of(await run(app, parser, capsys, "enrol", "--email", EMAIL.upper()))
    with pytest.raises(InvalidCredentials):
        await agent.knock()
    await agent.enrol(token)
    assert await agent.log_in()
    assert await run(app, parser, capsys, "disable", "--email", EMAIL) == [f"{EMAIL} is disabled"]
    with pytest.raises(InvalidCredentials):
        await agent.knock()
    (line,) = await run(app, parser, capsys, "list")
    assert line.endswith("admin disabled")
    for action in ("enrol", "disable"):
        with pytest.raises(OperatorNotFound):
            await run(app, parser, capsys, action, "--email", "nobody@platform.example")


async def test_no_secret_is_an_argument(parser: ArgumentParser) -> None:
    for option in ("--password", "--token", "--secret", "--code"):
        with pytest.raises(SystemExit):
            parser.parse_args(["add", "--email", EMAIL, "--role", "admin", option, "x"])
    assert parser.parse_args(["add", "--email", EMAIL, "--role", "admin"]).operator_role == "admin"
