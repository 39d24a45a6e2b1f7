"""SCIM 2.0 over HTTP (RFC 7644): requests to use cases, and what they answer. Knows no token."""

import functools
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from scim2_models import (
    Context,
    InvalidSyntaxException,
    ListResponse,
    NotFoundException,
    NotImplementedException,
    PatchOp,
    PreconditionFailedException,
    Resource,
    ResponseParameters,
    SCIMException,
    SearchRequest,
)

from auth.app import App
from auth.domain.audit import Author
from auth.domain.connections import Connection
from auth.servicer.scim import payloads
from auth.servicer.scim.kinds import GROUPS, USERS, Kind
from auth.servicer.scim.models import CONFIG, LARGEST_PAGE, PAGE, PROVIDER, GroupMember
from auth.store.scim_filters import Matching

AnyKind = Kind[Any, Any]
_KINDS: Mapping[str, AnyKind] = {each.endpoint: each for each in (USERS, GROUPS)}
_NOT_OFFERED = ("Me", "Bulk")
_SELECTING = ("attributes", "excludedattributes")
_QUERY = {"filter": "filter", "startindex": "startIndex", "count": "count"} | {
    "attributes": "attributes",
    "excludedattributes": "excludedAttributes",
}


class MethodNotAllowed(SCIMException):
    """The resource is there, but not for this."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    _default_detail = "this path does not take this method"


@dataclass(frozen=True, slots=True)
class Request:
    """A request, after its token."""

    method: str
    segments: tuple[str, ...]
    query: str = ""
    if_match: str = ""
    if_none_match: str = ""
    body: bytes = b""

    def parameters(self) -> dict[str, str]:
        """What stands after the question mark, of what is offered; sorting is not."""
        try:
            sent = parse_qsl(self.query, keep_blank_values=True, max_num_fields=50)
        except ValueError as error:
            raise InvalidSyntaxException(detail="too many parameters") from error
        return {_QUERY[name.lower()]: value for name, value in sent if name.lower() in _QUERY}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as HTTP takes it."""

    status: int
    body: str = ""
    etag: str = ""
    location: str = ""


class Protocol:
    """Serves the provider of one connection."""

    def __init__(self, app: App, connection: Connection, by: Author) -> None:
        self._app = app
        self._connection = connection
        self._by = by
        self._base = app.sso.scim_url

    async def answer(self, request: Request) -> Answer:
        """The answer to a request.

        Raises:
            SCIMException, ValidationError: it is not one of this protocol, or of what is offered.
            AppError: it is refused.
        """
        match request.segments:
            case (name, *_) if name in _NOT_OFFERED:
                raise NotImplementedException
            case (".search",):
                return await self._search(request, list(_KINDS.values()))
            case (name,) if name in _KINDS:
                return await self._collection(_KINDS[name], request)
            case (name, ".search") if name in _KINDS:
                return await self._search(request, [_KINDS[name]])
            case (name, id_) if name in _KINDS:
                return await self._resource(_KINDS[name], id_, request)
        return self._discovery(request)

    def _discovery(self, request: Request) -> Answer:
        published: dict[str, list[Resource[Any]]] = {
            "ServiceProviderConfig": [CONFIG],
            "Schemas": list(PROVIDER.schemas),
            "ResourceTypes": list(PROVIDER.resource_types),
        }
        name, *rest = request.segments or ("",)
        if name not in published or (name == "ServiceProviderConfig" and rest):
            raise NotFoundException
        if request.method != "GET":
            raise MethodNotAllowed
        if name == "ServiceProviderConfig":
            return _told(HTTPStatus.OK, CONFIG, ResponseParameters())
        if not rest:
            # RFC 7644 §4: neither filtered nor paged.
            return _listed(published[name], len(published[name]), 1, ResponseParameters())
        found = next((each for each in published[name] if str(each.id) == rest[0]), None)
        if found is None:
            raise NotFoundException
        return _told(HTTPStatus.OK, found, ResponseParameters())

    async def _collection(self, kind: AnyKind, request: Request) -> Answer:
        if request.method == "GET":
            return await self._list([kind], request.parameters())
        if request.method != "POST":
            raise MethodNotAllowed
        shown = _selection(kind, request)
        sent = kind.model.model_validate(
            kind.whole(payloads.read(request.body), None), scim_ctx=Context.RESOURCE_CREATION_REQUEST
        )
        made = await kind.create(self._app, self._connection, kind.wish(sent), by=self._by)
        return _told(HTTPStatus.CREATED, kind.show(made, self._base), shown)

    async def _search(self, request: Request, kinds: list[AnyKind]) -> Answer:
        if request.method != "POST":
            raise MethodNotAllowed
        sent = payloads.read(request.body)
        wanted = {_QUERY[name.lower()]: value for name, value in sent.items() if name.lower() in _QUERY}
        return await self._list(kinds, wanted)

    async def _list(self, kinds: list[AnyKind], wanted: Mapping[str, Any]) -> Answer:
        """What fits, of one kind after the other."""
        if isinstance(wanted.get("filter"), str):
            payloads.plain_filter(wanted["filter"])
        models: Any = USERS.model | GROUPS.model if len(kinds) > 1 else kinds[0].model
        search: Any = SearchRequest[models].model_validate(dict(wanted))
        start = search.start_index or 1
        most = min(PAGE if search.count is None else search.count, LARGEST_PAGE)
        node = search.filter.ast if search.filter else None
        matching = Matching(node, lenient=len(kinds) > 1)
        skip, total = start - 1, 0
        found: list[Resource[Any]] = []
        for kind in kinds:
            page, fitting = await kind.list(
                self._app,
                self._connection,
                matching,
                skip=max(0, skip - total),
                most=most - len(found),
            )
            found += [kind.show(each, self._base) for each in page]
            total += fitting
        return _listed(found, total, start, search)

    async def _resource(self, kind: AnyKind, id_: str, request: Request) -> Answer:
        wanted = kind.id_of(id_)
        if request.method == "GET":
            shown = kind.show(await kind.get(self._app, self._connection, wanted), self._base)
            if _names(request.if_none_match, shown):
                return Answer(HTTPStatus.NOT_MODIFIED, etag=_version(shown))
            return _told(HTTPStatus.OK, shown, _selection(kind, request))
        if request.method == "DELETE":
            await kind.delete(
                self._app,
                self._connection,
                wanted,
                lambda there: self._expect(kind, there, request),
                by=self._by,
            )
            return Answer(HTTPStatus.NO_CONTENT)
        if request.method not in ("PUT", "PATCH"):
            raise MethodNotAllowed
        payload = payloads.read(request.body)
        selection = _selection(kind, request)

        def change(there: Any) -> Any:
            before = self._expect(kind, there, request)
            replace = _replaced if request.method == "PUT" else _patched
            return kind.wish(replace(kind, payload, before, there))

        changed = await kind.change(self._app, self._connection, wanted, change, by=self._by)
        return _told(HTTPStatus.OK, kind.show(changed, self._base), selection)

    def _expect(self, kind: AnyKind, there: Any, request: Request) -> Resource[Any]:
        """What there is, shown, if it is what the request is about. Under its lock."""
        shown: Resource[Any] = kind.show(there, self._base)
        if request.if_match and not _names(request.if_match, shown):
            raise PreconditionFailedException
        return shown


def _replaced(kind: AnyKind, payload: dict[str, Any], before: Resource[Any], there: Any) -> Resource[Any]:
    with PROVIDER:
        whole = kind.whole(payload, there)
        after = kind.model.model_validate(whole, scim_ctx=Context.RESOURCE_REPLACEMENT_REQUEST)
        after.replace(before)
    return after


def _patched(kind: AnyKind, payload: dict[str, Any], before: Resource[Any], _there: Any) -> Resource[Any]:
    cleaned = payloads.operations(payload)
    if cleaned is None:
        return before
    with PROVIDER:
        for step in payloads.steps(cleaned) if kind is GROUPS else [cleaned]:
            if isinstance(step, payloads.MemberStep):
                _regroup(before, step)
            else:
                message: Any = PatchOp
                patch = message[kind.model].model_validate(step, scim_ctx=Context.RESOURCE_PATCH_REQUEST)
                patch.patch(before)
    return before


def _regroup(group: Any, step: payloads.MemberStep) -> None:
    there = {each.value: each for each in group.members or ()}
    if step.adds:
        there = {each: GroupMember(value=each, ref=None, type="User") for each in step.ids} | there
    else:
        gone = set(step.ids)
        there = {name: each for name, each in there.items() if name not in gone}
    group.members = list(there.values()) or None


def _selection(kind: AnyKind, request: Request) -> Any:
    sent = request.parameters()
    message: Any = ResponseParameters
    return message[kind.model].model_validate(
        {name: value for name, value in sent.items() if name.lower() in _SELECTING}
    )


def _told(status: HTTPStatus, resource: Resource[Any], selection: Any) -> Answer:
    context = (
        Context.RESOURCE_CREATION_RESPONSE
        if status is HTTPStatus.CREATED
        else Context.RESOURCE_QUERY_RESPONSE
    )
    body = resource.model_dump_json(scim_ctx=context, response_parameters=selection)
    location = (resource.meta.location or "") if resource.meta and status is HTTPStatus.CREATED else ""
    return Answer(status, body, _version(resource), location)


def _listed(found: list[Resource[Any]], total: int, start: int, selection: Any) -> Answer:
    message: Any = ListResponse
    kinds = sorted({type(each) for each in found} or {USERS.model}, key=lambda kind: kind.__name__)
    models: Any = functools.reduce(operator.or_, kinds)
    shown = message[models](
        total_results=total, start_index=start, items_per_page=len(found), resources=found
    )
    return Answer(
        HTTPStatus.OK,
        shown.model_dump_json(scim_ctx=Context.RESOURCE_QUERY_RESPONSE, response_parameters=selection),
    )


def _version(resource: Resource[Any]) -> str:
    return (resource.meta.version or "") if resource.meta else ""


def _names(header: str, resource: Resource[Any]) -> bool:
    """Whether a header of conditions names this version, compared weakly (RFC 9110 §8.8.3.2)."""
    tags = {each.strip().removeprefix("W/") for each in header.split(",")}
    return "*" in tags or _version(resource).removeprefix("W/") in tags
