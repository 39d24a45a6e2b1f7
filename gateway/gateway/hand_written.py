"""The routes that are not in the contract, on FastAPI: documents, probes, keys, pages, log-in, Stripe."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

import fastapi
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from fastapi.routing import APIRoute

from comptoir.payment.v1 import payment_pb2, payment_pb2_grpc
from gateway.edge import Target
from gateway.errors import RouteNotFound
from gateway.http import Answer, Receive, Request, Scope, Send, safe
from gateway.limits import Limiter
from gateway.pages import Page, page, page_headers, swagger_ui
from gateway.settings import LimitSettings
from gateway.signing_keys import SigningKeys
from gateway.sso import add_sso
from servicekit.rpc.client import Peer

_STRIPE_BODY_BYTES = 1024 * 1024
_A_DAY = "public, max-age=86400"
_FIVE_MINUTES = "public, max-age=300"
_REQUEST = "comptoir.request"
_UNLIMITED = frozenset({"/healthz", "/readyz", "/hooks/stripe"})
"""Probes; and what a signature protects: all of Stripe comes from a few addresses."""


def application(
    *,
    document: bytes,
    versions: bytes,
    keys: SigningKeys,
    auth: Peer,
    payment: Peer,
    limits: LimitSettings,
    ready: Callable[[], bool],
) -> FastAPI:
    """The FastAPI app. `document` is the OpenAPI document of the contract, `versions` what changed in it."""
    app = FastAPI(
        title="Comptoir", openapi_url=None, docs_url=None, redoc_url=None, telemetry={"tracing": False}
    )
    _add_probes(app, ready)
    _add_documents(app, document, versions, keys)
    _add_pages(app)
    add_sso(app, auth, limits)
    _add_stripe(app, payment, limits)
    app.router.default = _nowhere
    return app


async def _nowhere(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """What our table finds and FastAPI does not: an escaped slash in a variable. Raises RouteNotFound."""
    raise RouteNotFound


def targets(app: FastAPI) -> list[tuple[str, str, Target]]:
    """Method, template and target of every hand-written route, for the table of all routes."""
    return [
        (method, route.path, Target(route.path, _run(app)))
        for route in app.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods or ())
    ]


def limited(target: Target, limiter: Limiter) -> Target:
    """The target, with requests counted by their address first; some are never counted."""
    if target.template in _UNLIMITED:
        return target

    async def handle(request: Request, variables: Sequence[str]) -> Answer:
        await limiter.admit_anonymous(request)
        return await target.handle(request, variables)

    return replace(target, handle=handle)


def _run(app: FastAPI) -> Callable[[Request, Sequence[str]], Awaitable[Answer]]:
    """Runs the app for one request and keeps its whole answer. What a route raises comes through."""

    async def handle(request: Request, _variables: Sequence[str]) -> Answer:
        sent: list[MutableMapping[str, Any]] = []

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        method = "GET" if request.method == "HEAD" else request.method
        await app({**request.scope, "method": method, _REQUEST: request}, request.receive, send)
        start, *rest = sent
        headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
        return Answer(start["status"], safe(headers), b"".join(each.get("body", b"") for each in rest))

    return handle


def _add_probes(app: FastAPI, ready: Callable[[], bool]) -> None:
    @app.get("/healthz")
    async def healthz() -> Response:
        return Response(b'{"status":"alive"}', media_type="application/json")

    @app.get("/readyz")
    async def readyz() -> Response:
        if ready():
            return Response(b'{"status":"ready"}', media_type="application/json")
        return Response(b'{"status":"not ready"}', status_code=503, media_type="application/json")


def _add_documents(app: FastAPI, document: bytes, versions: bytes, keys: SigningKeys) -> None:
    docs = page("docs")
    files = {
        "swagger-ui-bundle.js": (swagger_ui("swagger-ui-bundle.js"), "text/javascript"),
        "swagger-ui.css": (swagger_ui("swagger-ui.css"), "text/css"),
    }

    @app.get("/openapi.json")
    async def openapi() -> Response:
        return Response(document, media_type="application/json", headers={"cache-control": _FIVE_MINUTES})

    @app.get("/versions")
    async def dated_versions() -> Response:
        return Response(versions, media_type="application/json", headers={"cache-control": _FIVE_MINUTES})

    @app.get("/docs")
    async def documentation() -> Response:
        return _html(docs)

    @app.get("/docs/swagger-ui-bundle.js")
    @app.get("/docs/swagger-ui.css")
    async def asset(request: fastapi.Request) -> Response:
        content, media_type = files[request.url.path.rpartition("/")[2]]
        return Response(content, media_type=media_type, headers={"cache-control": _A_DAY})

    @app.get("/.well-known/jwks.json")
    async def jwks() -> Response:
        content = await keys.published()
        return Response(
            content, media_type="application/jwk-set+json", headers={"cache-control": _FIVE_MINUTES}
        )


def _add_pages(app: FastAPI) -> None:
    manage, waitlist = page("manage", "guest"), page("waitlist", "guest")
    verify_email, account_link = page("verify_email"), page("account_link")
    invitation = page("invitation", "guest")

    @app.get("/manage/{token}")
    async def manage_booking(_token: Annotated[str, fastapi.Path(alias="token")]) -> Response:
        return _html(manage)

    @app.get("/waitlist/{token}")
    async def manage_waitlist_entry(_token: Annotated[str, fastapi.Path(alias="token")]) -> Response:
        return _html(waitlist)

    @app.get("/verify-email")
    async def verify() -> Response:
        return _html(verify_email)

    @app.get("/forgot-password")
    @app.get("/reset-password")
    @app.get("/confirm-email")
    @app.get("/revert-email")
    async def follow_account_link() -> Response:
        return _html(account_link)

    @app.get("/invitation")
    async def answer_invitation() -> Response:
        return _html(invitation)


def _add_stripe(app: FastAPI, payment: Peer, limits: LimitSettings) -> None:
    stub = payment.stub(payment_pb2_grpc.DepositServiceStub)

    @app.post("/hooks/stripe")
    async def receive_stripe_event(request: fastapi.Request) -> Response:
        incoming: Request = request.scope[_REQUEST]
        body = await incoming.body(limit=_STRIPE_BODY_BYTES, seconds=limits.body_seconds)
        message = payment_pb2.ReceiveStripeEventRequest(
            payload=body, signature=request.headers.get("stripe-signature", "")
        )
        await payment.call(stub.ReceiveStripeEvent, message, timeout=limits.timeout_seconds)
        return Response(b"{}", media_type="application/json")


def _html(shown: Page) -> Response:
    headers = {name.decode(): value.decode() for name, value in page_headers(shown)}
    return HTMLResponse(shown.html, headers=headers)
