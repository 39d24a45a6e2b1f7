"""What is done in the pod: `python -m auth operators …`. No secret is an argument; one is printed, once."""

from argparse import ArgumentParser, Namespace
from types import MappingProxyType

from auth.app import App
from auth.domain.audit import ActorKind, Author
from auth.domain.operators import Operator, OperatorRole
from auth.usecases import operators
from servicekit import ids, paging
from servicekit.runtime import Verb

_BY = Author(ActorKind.SYSTEM)
"""Whoever may run a command in the pod: the cluster's own log knows who that was."""
_PAGE = 200


def _arguments(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="show all operators")
    add = actions.add_parser("add", help="make an operator, and print the secret that they enrol with")
    add.add_argument("--email", required=True)
    add.add_argument("--name", default="", help="what organizations see; the address before the @ by default")
    add.add_argument(
        "--role", dest="operator_role", choices=[each.value for each in OperatorRole], required=True
    )
    enrol = actions.add_parser("enrol", help="end what an operator has, and print a new secret to enrol with")
    enrol.add_argument("--email", required=True)
    disable = actions.add_parser("disable", help="end an operator's account with all sessions and access")
    disable.add_argument("--email", required=True)


async def _operators(app: App, arguments: Namespace) -> None:
    match arguments.action:
        case "list":
            await _list(app)
        case "add":
            role = OperatorRole(arguments.operator_role)
            name = arguments.name or arguments.email.partition("@")[0]
            made, token = await operators.add_operator(
                app, email=arguments.email, display_name=name, role=role, by=_BY
            )
            _say(_line(made))
            _tell(token)
        case "enrol":
            _tell(await operators.reenrol_operator_of(app, arguments.email, by=_BY))
        case "disable":
            await operators.disable_operator_of(app, arguments.email, by=_BY)
            _say(f"{arguments.email} is disabled")


async def _list(app: App) -> None:
    token = ""
    while True:
        found, token = await operators.list_operators(app, paging.page(_PAGE, token, "operators", keys=1))
        for each in found:
            _say(_line(each))
        if not token:
            return


def _line(operator: Operator) -> str:
    state = "disabled" if operator.disabled_at else "enrolled" if operator.enrolled_at else "not enrolled yet"
    return f"{ids.show('opr', operator.id)} {operator.email} {operator.role.value} {state}"


def _tell(token: str) -> None:
    _say(f"enrolment secret, for one use within a day: {token}")
    _say("hand it over in person; it is traded at POST /v1/platform/auth/enrolment")


def _say(line: str) -> None:
    print(line)  # noqa: T201  # a command answers to whoever runs it


VERBS = MappingProxyType({"operators": Verb("operators of the platform", _arguments, _operators)})
