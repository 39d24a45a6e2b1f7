"""Puts the gateway together: the contract's routes and the hand-written ones in one table behind one edge."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import orjson

from comptoir.api.v1 import policy_pb2
from gateway import asking_auth, hand_written, scim
from gateway.access_log import AccessLog
from gateway.admission import Admission
from gateway.api_keys import ApiKeys
from gateway.background import run_beside
from gateway.breakers import Breaker, GuardedPeer
from gateway.browsers import Browsers
from gateway.cache.keeping import Cache
from gateway.cache.store import Store
from gateway.cache.venues import VenueNames, asking
from gateway.callers import Callers
from gateway.cookies import Cookies, key_from
from gateway.cors import Cors
from gateway.dated import CHANGES, Calendar, Dating, overview
from gateway.delivery import Delivery
from gateway.dispatch import Table
from gateway.edge import Edge, Target
from gateway.forwarding import Endpoint, Shared
from gateway.limits import Limiter
from gateway.limits.buckets import Buckets
from gateway.live import asking as live_asking
from gateway.live import store as live_store
from gateway.live.streams import Streams
from gateway.openapi import OPERATIONS, shipped
from gateway.operator_acts import OperatorActs
from gateway.page_tokens import PageTokens
from gateway.quotas import DailyQuotas
from gateway.revocations import Revocations
from gateway.routes import routes
from gateway.session_routes import SessionRoutes
from gateway.settings import Settings
from gateway.signing_keys import SigningKeys
from gateway.sites import Sites
from gateway.tokens import AccessTokens
from gateway.white_label import WhiteLabel
from gateway.wrong_links import WrongLinks
from servicekit.identity import Signer
from servicekit.rpc.client import Peer


@asynccontextmanager
async def open_gateway(settings: Settings, ready: Callable[[], bool]) -> AsyncIterator[Edge]:
    """The ASGI app with its channels open and its keys kept fresh. It must be used in the loop that opens it.

    Raises:
        ContractBroken, ContractUnsupported, RouteTwice: the contract cannot be served.
    """
    async with AsyncExitStack() as stack:
        signer = Signer(settings.identity.signing_key_file)
        peers = {
            name: GuardedPeer(name, target, signer, Breaker(name, settings.breakers))
            for name, target in settings.peers.items()
        }
        for peer in peers.values():
            stack.push_async_callback(peer.close)
        auth = peers["auth"]
        keys = SigningKeys(asking_auth.signing_keys_of(auth))
        revocations = Revocations(asking_auth.revocations_of(auth))
        sites = Sites(asking_auth.sites_of(auth))
        buckets, quotas = Buckets(settings.redis), DailyQuotas(settings.redis)
        stack.push_async_callback(buckets.close)
        stack.push_async_callback(quotas.close)
        limiter = Limiter(settings.rates, buckets)
        api_keys = ApiKeys(asking_auth.keys_exchanged_at(auth), revocations, quotas)
        cache = _cache(settings, peers["booking"])
        if cache is not None:
            stack.push_async_callback(cache.close)
        shared = Shared(
            signer=signer,
            callers=Callers(AccessTokens(keys, revocations), api_keys, limiter),
            limits=settings.limits,
            limiter=limiter,
            wrong_links=WrongLinks(settings.limits),
            acts=OperatorActs(asking_auth.acts_recorded_at(auth)),
            admission=Admission(settings.admission),
            page_tokens=PageTokens.of_key_file(settings.identity.signing_key_file),
            cache=cache,
        )
        streams = _streams(settings, peers, shared, revocations, stack)
        cors = Cors(sites)
        cookies = Cookies(key_from(settings.identity.signing_key_file), cors, SessionRoutes.of(routes()))
        log = _access_log(settings, stack)
        dating = Dating(Calendar(), shared.callers, settings.limits)
        table = _table(settings, peers, shared, dating=dating, keys=keys, ready=ready)
        csrf = ("GET", "/v1/auth/csrf", Target("/v1/auth/csrf", cookies.tell))
        white_label = WhiteLabel(sites, peers["booking"], settings.limits)
        for method, template, target in [csrf, *white_label.targets()]:
            dated = dating.target(target, OPERATIONS.get((method, template)), counted=True)
            table.add(method, template, hand_written.limited(dated, limiter))
        for method, template, target in streams.targets():
            table.add(method, template, dating.target(target, OPERATIONS.get((method, template))))
        for name, news in (("signing_keys", keys), ("revocations", revocations), ("sites", sites)):
            run_beside(name, news.keep_fresh, stack)
        yield Edge(
            table,
            trusted_proxies=settings.http.trusted_proxies,
            access_log=log,
            browsers=Browsers(cors, cookies, limiter),
            admission=shared.admission,
            delivery=Delivery(settings.compression),
            streaming=streams,
        )


def _streams(
    settings: Settings,
    peers: Mapping[str, Peer],
    shared: Shared,
    revocations: Revocations,
    stack: AsyncExitStack,
) -> Streams:
    redis = live_store.client(settings.redis)
    if redis is not None:
        stack.push_async_callback(redis.aclose)
    streams = Streams(
        settings.live,
        redis,
        callers=shared.callers,
        limiter=shared.limiter,
        revocations=revocations,
        admission=live_asking.admission(
            peers, shared.signer, shared.acts, limiter=shared.limiter, places=shared.admission
        ),
    )
    for name, work in streams.background():
        run_beside(name, work, stack)
    return streams


def _access_log(settings: Settings, stack: AsyncExitStack) -> AccessLog | None:
    if not settings.http.access_log:
        return None
    log = AccessLog()
    stack.callback(log.flush)
    run_beside("access_log", log.keep_flushing, stack)
    return log


def _table(
    settings: Settings,
    peers: Mapping[str, Peer],
    shared: Shared,
    *,
    dating: Dating,
    keys: SigningKeys,
    ready: Callable[[], bool],
) -> Table[Target]:
    table: Table[Target] = Table()
    for route in routes():
        endpoint = Endpoint(route, peers[route.rpc.service], shared)
        dated = dating.of(endpoint, route.operation_id, cached=route.policy.cache_seconds > 0)
        compressible = route.policy.rate_class != policy_pb2.RATE_CLASS_CREDENTIAL
        target = Target(route.template, dated.handle, compressible=compressible, finish=dated.finish)
        table.add(route.method, route.template, target)
    app = hand_written.application(
        document=shipped(),
        versions=orjson.dumps(overview(dating.calendar, CHANGES)),
        keys=keys,
        auth=peers["auth"],
        payment=peers["payment"],
        limits=settings.limits,
        ready=ready,
    )
    for method, template, target in hand_written.targets(app):
        table.add(method, template, hand_written.limited(target, shared.limiter))
    for method, template, target in scim.targets(peers["auth"], settings.limits, shared.limiter):
        table.add(method, template, target)
    return table


def _cache(settings: Settings, booking: Peer) -> Cache | None:
    if settings.redis.url is None or not settings.cache.enabled:
        return None
    return Cache(Store(settings.redis, timeout=settings.cache.timeout_seconds), VenueNames(asking(booking)))
