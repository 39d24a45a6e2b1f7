"""Routes → paths and operations, with security, parameters, bodies and every answer."""

from collections.abc import Sequence
from typing import Any

from comptoir.api.v1 import policy_pb2
from gateway import problems
from gateway.forwarding import IDEMPOTENCY_KEY_PATTERN
from gateway.openapi.comments import comment, summary
from gateway.openapi.rules import required
from gateway.openapi.schemas import Schema, Schemas
from gateway.routes import NO_CONTENT, Route
from gateway.transcoding import Parameter
from gateway.versions import expects, tagged

_ABOUT = """The HTTP face of Comptoir, the open-source booking platform.

Times are RFC 3339 with an offset, money is in minor units, ids are texts with a typed prefix, enums are
lower-case words. Fields that are not set are left out of answers; unknown fields in requests are refused.
Every error is an RFC 9457 problem whose `reason` is stable. What breaks this document, its patterns, bounds
and formats, gets 400. What keeps to it and yet could never be granted gets 422 with a reason of its own, and
what the state of things does not allow gets 409."""

_PROBLEM: Schema = {
    "type": "object",
    "description": "Problem details (RFC 9457).",
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "Names the kind of problem."},
        "title": {"type": "string", "description": "The kind of problem in words."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What to do about it."},
        "reason": {"type": "string", "pattern": "^[A-Z][A-Z0-9_]*$", "description": "Stable; for programs."},
        "errors": {
            "type": "array",
            "description": "What is wrong with the request, place by place.",
            "items": {
                "type": "object",
                "properties": {
                    "pointer": {"type": "string", "description": "JSON Pointer (RFC 6901)."},
                    "message": {"type": "string"},
                },
                "required": ["pointer", "message"],
            },
        },
        "request_id": {"type": "string", "description": "For questions to support."},
        "violated-policies": {
            "type": "array",
            "description": "The quotas that are used up, as RateLimit-Policy names them.",
            "items": {"type": "string"},
        },
        "metadata": {
            "type": "object",
            "description": "What a program needs beside the reason, as the reason's own page says.",
            "additionalProperties": {"type": "string"},
        },
    },
    "required": ["type", "title", "status", "detail", "reason", "errors", "request_id"],
}
_PROBLEMS = {
    "400": "The request cannot be read or breaks a rule of the contract.",
    "401": "The access token is missing, expired or not ours.",
    "403": "The caller's role does not allow this.",
    "404": "There is nothing by this name, or it is somebody else's.",
    "408": "The body did not arrive in time.",
    "409": "The state of things does not allow this, or has changed meanwhile.",
    "412": "This has changed since the version in If-Match.",
    "428": "Several people edit this: If-Match is missing.",
    "413": "The body is too large.",
    "415": "The body is not declared as JSON.",
    "422": "The request keeps to this document, but a rule that no schema can say refuses it; see reason.",
    "429": "Too many requests, or too many wrong guesses; see Retry-After.",
    "500": "A defect on our side.",
    "503": "A part is down for the moment; see Retry-After.",
    "504": "A part did not answer in time.",
    "default": "Any other refusal.",
}
_HEADERS = {
    "401": {"WWW-Authenticate": {"schema": {"type": "string"}}},
    "429": {
        "Retry-After": {"schema": {"type": "integer", "minimum": 0}},
        "RateLimit-Policy": {
            "description": "The quotas that a request counts against: requests (q) in seconds (w)."
            " Answers that are no refusals have both headers, too (draft-ietf-httpapi-ratelimit-headers).",
            "schema": {"type": "string"},
        },
        "RateLimit": {
            "description": "What is left of them (r), and for how many seconds that has to do (t).",
            "schema": {"type": "string"},
        },
    },
    "503": {"Retry-After": {"schema": {"type": "integer", "minimum": 0}}},
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Makes a repeated request answer like the first one, for 24 hours, and have no further"
    " effect (draft-ietf-httpapi-idempotency-key). With another request it is refused with 422, and with 409"
    " while the first one is being worked on. Make one up for each request, of at least 16 random bytes.",
    "schema": {"type": "string", "pattern": IDEMPOTENCY_KEY_PATTERN},
}

_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "description": "The ETag that the caller has read: the request is refused with 412 when there is a newer"
    " version by now (RFC 9110). It stands for `expected_version` in the body.",
    "schema": {"type": "string"},
}
_REPLAYED = {
    "Idempotency-Replayed": {
        "description": "`true` when this is the answer to an earlier request with the same Idempotency-Key.",
        "schema": {"const": "true"},
    }
}
_ETAG = {"ETag": {"description": "The version, for If-Match.", "schema": {"type": "string"}}}
_READ_ETAG = {"ETag": {"description": "Of this answer, for If-None-Match.", "schema": {"type": "string"}}}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "ETags of answers that the caller has: 304 without a body when one holds (RFC 9110).",
    "schema": {"type": "string"},
}
_BODIES = ("application/json",)
_PATCHES = ("application/merge-patch+json", "application/json")


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """The document. The same contract always gives the same document.

    Raises:
        ContractUnsupported: the contract has something that cannot be shown truly.
    """
    schemas = Schemas()
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.template, {})[route.method.lower()] = _operation(route, schemas)
    services = {route.rpc.method.containing_service for route in routes}
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Comptoir",
            "version": "1.0.0",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": _tag(service.name), "description": comment(service.full_name)}
            for service in sorted(services, key=lambda service: service.full_name)
        ],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted((schemas.named | {"Problem": _PROBLEM}).items())),
            "responses": {f"Problem{status}": _problem(status) for status in _PROBLEMS},
            "parameters": {
                "IdempotencyKey": _IDEMPOTENCY_KEY,
                "IfMatch": _IF_MATCH,
                "IfNoneMatch": _IF_NONE_MATCH,
            },
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation(route: Route, schemas: Schemas) -> dict[str, Any]:
    name = route.rpc.method.full_name
    operation: dict[str, Any] = {
        "operationId": route.operation_id,
        "tags": [_tag(route.rpc.method.containing_service.name)],
        "summary": summary(name),
        "description": " ".join([comment(name), *_access(route)]),
        "security": [{"bearer": []}] if _needs_token(route) else [{}, {"bearer": []}],
    }
    parameters = [_parameter(each, "path", schemas) for each in route.path_parameters()]
    parameters += [_parameter(each, "query", schemas) for each in route.query_parameters()]
    if route.policy.idempotency_key:
        parameters.append({"$ref": "#/components/parameters/IdempotencyKey"})
    if expects(route):
        parameters.append({"$ref": "#/components/parameters/IfMatch"})
    if route.method == "GET":
        parameters.append({"$ref": "#/components/parameters/IfNoneMatch"})
    if parameters:
        operation["parameters"] = parameters
    if route.body:
        operation["requestBody"] = _body(route, schemas)
    unchanged = {"304": {"description": "Nothing has changed."}} if route.method == "GET" else {}
    operation["responses"] = (
        {str(route.status): _success(route, schemas)}
        | unchanged
        | {status: {"$ref": f"#/components/responses/Problem{status}"} for status in _refusals(route)}
    )
    return operation


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
    if route.raw:
        said, content = summary(route.rpc.method.full_name), {"schema": {"type": "string"}}
        headers: dict[str, Any] = {"headers": _READ_ETAG} if route.method == "GET" else {}
        return {"description": said, "content": {route.policy.media_type: content}, **headers}
    described: dict[str, Any] = {"description": comment(route.rpc.method.output_type.full_name)}
    if route.status != NO_CONTENT:
        described["content"] = {"application/json": {"schema": schemas.answer(route.response)}}
    headers = dict(_REPLAYED) if route.policy.idempotency_key else {}
    if tagged(route):
        headers |= _ETAG
    elif route.method == "GET":
        headers |= _READ_ETAG
    if headers:
        described["headers"] = headers
    return described


def _refusals(route: Route) -> list[str]:
    found = {"400", "401", "429", "500", "503", "504", "default"}
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
    if expects(route):
        found.add("412")
    if route.policy.precondition_required:
        found.add("428")
    return [status for status in _PROBLEMS if status in found]


def _problem(status: str) -> dict[str, Any]:
    content = {problems.MEDIA_TYPE.decode(): {"schema": {"$ref": "#/components/schemas/Problem"}}}
    described: dict[str, Any] = {"description": _PROBLEMS[status], "content": content}
    return described | ({"headers": _HEADERS[status]} if status in _HEADERS else {})


def _tag(service: str) -> str:
    return service.removesuffix("Service")
