"""Routes → paths and operations, with security, parameters, bodies and every answer; those by hand beside."""

from collections.abc import Collection, Sequence
from typing import Any

from comptoir.api.v1 import policy_pb2
from gateway.openapi import by_hand, security
from gateway.openapi.comments import comment, summary
from gateway.openapi.examples import Examples
from gateway.openapi.headers import HEADERS, PARAMETERS, headers, parameter
from gateway.openapi.refusals import EVERYWHERE, PROBLEM, PROBLEMS, Reason, problem
from gateway.openapi.rules import required
from gateway.openapi.schemas import Schema, Schemas
from gateway.openapi.webhooks import body, described, webhooks
from gateway.routes import NO_CONTENT, Route
from gateway.transcoding import Parameter
from gateway.versions import expects, tagged
from servicekit.api_versions import NEWEST

_ABOUT = """The HTTP face of Comptoir, the open-source booking platform.

Times are RFC 3339 with an offset, money is in minor units, ids are texts with a typed prefix, enums are
lower-case words. Fields that are not set are left out of answers; unknown fields in requests are refused.
Every error is an RFC 9457 problem whose `reason` is stable. What breaks this document, its patterns, bounds
and formats, gets 400. What keeps to it and yet could never be granted gets 422 with a reason of its own, and
what the state of things does not allow gets 409."""

_BODIES = ("application/json",)
_PATCHES = ("application/merge-patch+json", "application/json")


def document(routes: Sequence[Route], catalogue: Collection[Reason] = ()) -> dict[str, Any]:
    """The document. The same contract always gives the same document; `catalogue` has the reasons to list.

    Raises:
        ContractUnsupported: the contract has something that cannot be shown truly.
    """
    schemas = Schemas()
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.template, {})[route.method.lower()] = _operation(route, schemas)
    for path, item in by_hand.paths(schemas).items():
        paths.setdefault(path, {}).update(item)
    services = {route.rpc.method.containing_service for route in routes}
    named = schemas.named | {"Problem": PROBLEM}
    examples = Examples(named)
    for item in paths.values():
        for operation in item.values():
            _add_examples(operation, examples)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Comptoir",
            "version": NEWEST,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": _tag(service.name), "description": comment(service.full_name)}
            for service in sorted(services, key=lambda service: service.full_name)
        ]
        + [
            *by_hand.TAGS,
            {"name": "Webhooks", "description": "What is posted to the endpoints that partners register."},
        ],
        "paths": dict(sorted(paths.items())),
        "webhooks": {
            kind: described(kind, event, examples.answer(body(kind)) | {"type": kind})
            for kind, event in webhooks().items()
        },
        "components": {
            "schemas": dict(sorted(named.items())),
            "responses": {f"Problem{status}": problem(status, catalogue) for status in PROBLEMS},
            "parameters": PARAMETERS,
            "headers": HEADERS,
            "securitySchemes": security.SCHEMES,
        },
    }


def _operation(route: Route, schemas: Schemas) -> dict[str, Any]:
    name = route.rpc.method.full_name
    operation: dict[str, Any] = {
        "operationId": route.operation_id,
        "tags": [_tag(route.rpc.method.containing_service.name)],
        "summary": summary(name),
        "description": " ".join([comment(name), *_access(route)]),
        "security": _security(route),
    }
    parameters = [_parameter(each, "path", schemas) for each in route.path_parameters()]
    parameters += [_parameter(each, "query", schemas) for each in route.query_parameters()]
    if route.policy.idempotency_key:
        parameters.append(parameter("IdempotencyKey"))
    if expects(route):
        parameters.append(parameter("IfMatch"))
    if route.method == "GET":
        parameters.append(parameter("IfNoneMatch"))
    operation["parameters"] = [*parameters, parameter("Version")]
    if route.body:
        operation["requestBody"] = _body(route, schemas)
    unchanged = {"304": {"description": "Nothing has changed.", "headers": headers("ETag")}}
    operation["responses"] = (
        {str(route.status): _success(route, schemas)}
        | (unchanged if route.method == "GET" else {})
        | {status: {"$ref": f"#/components/responses/Problem{status}"} for status in _refusals(route)}
    )
    return operation


def _security(route: Route) -> list[Schema]:
    """Who may call. An API key never does what is about a person, nor what wants fresh credentials."""
    if route.policy.audience == policy_pb2.AUDIENCE_PLATFORM:
        return [security.by("bearer")]
    if not _needs_token(route):
        return [security.ANYBODY, *security.ways(route.method, by_key=False)]
    by_key = not route.policy.fresh and route.policy.permission != "self"
    return security.ways(route.method, by_key=by_key)


def _add_examples(operation: dict[str, Any], examples: Examples) -> None:
    for each in operation["parameters"]:
        if each.get("required"):
            each["example"] = examples.parameter(each["schema"], each["name"])
    for content in operation.get("requestBody", {}).get("content", {}).values():
        content["example"] = examples.request(content["schema"])
    success = next(iter(operation["responses"].values()))
    for media_type, content in success.get("content", {}).items():
        if media_type == "application/json":
            content["example"] = examples.answer(content["schema"])


def _access(route: Route) -> list[str]:
    if not _needs_token(route):
        return []
    who = "For operators of the platform. " if route.policy.audience == policy_pb2.AUDIENCE_PLATFORM else ""
    return [f"{who}Needs the permission `{route.policy.permission}`."]


def _needs_token(route: Route) -> bool:
    return route.policy.audience in (policy_pb2.AUDIENCE_MEMBER, policy_pb2.AUDIENCE_PLATFORM)


def _parameter(parameter: Parameter, place: str, schemas: Schemas) -> dict[str, Any]:
    schema = schemas.requested(parameter.field)
    text = schema.pop("description", "")
    if place == "path" and schema.get("type") == "string":
        schema["minLength"] = max(1, schema.get("minLength", 0))
    holder = parameter.field.containing_type
    needed = place == "path" or (holder is not None and parameter.field.name in required(holder))
    described: dict[str, Any] = {"name": parameter.name, "in": place, "required": needed, "schema": schema}
    return described | ({"description": text} if text else {})


def _body(route: Route, schemas: Schemas) -> dict[str, Any]:
    reference = schemas.request(route.body_message, route.outside_body)
    needed = required(route.body_message) - route.outside_body
    types = _PATCHES if route.method == "PATCH" else _BODIES
    return {"required": bool(needed), "content": {each: {"schema": reference} for each in types}}


def _success(route: Route, schemas: Schemas) -> dict[str, Any]:
    shown = dict(EVERYWHERE)
    if tagged(route) or route.method == "GET":
        shown |= headers("ETag")
    if route.policy.idempotency_key:
        shown |= headers("Idempotency-Replayed")
    if route.raw:
        said, content = summary(route.rpc.method.full_name), {"schema": {"type": "string"}}
        return {"description": said, "headers": shown, "content": {route.policy.media_type: content}}
    described: dict[str, Any] = {
        "description": comment(route.rpc.method.output_type.full_name),
        "headers": shown,
    }
    if route.status != NO_CONTENT:
        described["content"] = {"application/json": {"schema": schemas.answer(route.response)}}
    return described


def _refusals(route: Route) -> list[str]:
    found = {"400", "401", "410", "429", "500", "503", "504", "default"}
    if _needs_token(route):
        found.add("403")
    if route.variables or route.query_parameters():
        found.add("404")
    if route.query_parameters():
        found.add("422")
    if route.body:
        found |= {"404", "408", "409", "413", "415", "422"}
    if route.policy.idempotency_key:
        found |= {"409", "422"}
    if route.method != "GET":
        found.add("412")
    if route.policy.precondition_required:
        found.add("428")
    return [status for status in PROBLEMS if status in found]


def _tag(service: str) -> str:
    return service.removesuffix("Service")
