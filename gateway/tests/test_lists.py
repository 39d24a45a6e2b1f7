"""Every list of the contract has pages, and says its order: held to the descriptors, so new ones too."""

import re

import pytest
from google.protobuf.descriptor import FieldDescriptor

from gateway.openapi.comments import comment
from gateway.routes import Route, routes

WITHOUT_PAGES = {
    "listOrigins": "twenty at most of an organization: TOO_MANY_ORIGINS",
    "listWebDomains": "twenty at most of an organization: TOO_MANY_WEB_DOMAINS",
    "listConnections": "ten at most in an organization: MOST_CONNECTIONS",
    "getOrganization": "its limits: as many as a plan has",
    "exportAuditEntries": "goes on by the numbers of the log, which anybody can count: after",
    "searchAvailability": "computed: the starts of one service day",
    "getAvailabilityCalendar": "computed: the days that were asked for, 62 at most",
    "listAvailabilityAlternatives": "computed: the nearest few of each kind",
}
"""GETs with a list in their answer that have no pages, and what bounds each."""

ORDERS = re.compile(r"\bfirst\b|\bby (name|start|date|address|weekdays|their first day)\b")


def _lists(route: Route) -> list[FieldDescriptor]:
    if route.response_body or route.raw:
        return []  # one thing, with what belongs to it
    return [each for each in route.response.fields if each.is_repeated and each.message_type is not None]


LISTS = {route.operation_id: route for route in routes() if route.method == "GET" and _lists(route)}
PAGED = [route for name, route in LISTS.items() if name not in WITHOUT_PAGES]


def test_there_are_lists_and_no_exception_is_out_of_date() -> None:
    assert len(PAGED) > 30
    assert set(WITHOUT_PAGES) <= set(LISTS)
    assert not any("page_token" in LISTS[name].request.fields_by_name for name in WITHOUT_PAGES)


@pytest.mark.parametrize("route", PAGED, ids=lambda each: each.operation_id)
def test_every_list_has_pages(route: Route) -> None:
    asked, answered = route.request.fields_by_name, route.response.fields_by_name
    assert {"page_size", "page_token"} <= set(asked.keys())
    assert "next_page_token" in answered
    assert [each.name for each in _lists(route)] == ["items"]
    assert {"page_size", "page_token"} <= {each.name for each in route.query_parameters()}


@pytest.mark.parametrize("route", PAGED, ids=lambda each: each.operation_id)
def test_every_list_says_its_order(route: Route) -> None:
    assert ORDERS.search(comment(route.rpc.method.full_name))
