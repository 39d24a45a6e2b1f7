"""The edge: who may call what, what comes out, and what bad input gets."""

from typing import Any

import pytest

from comptoir.common.v1 import values_pb2
from comptoir.payment.v1 import payment_pb2 as pb
from comptoir.payment.v1.payment_pb2_grpc import DepositServiceStub, PaymentServiceStub
from payment.servicer import servicers
from servicekit import contract, ids, permissions
from servicekit.errors import AppError, Kind
from servicekit.identity import Caller
from testkit.callers import anonymous, member, service
from testkit.edge import Edge
from testkit.foreign_ids import compare
from testkit.plugin import StartEdge
from testkit.statements import costs_the_same

from .conftest import DEPOSIT, Till, reference, webhook

INTERNAL = {"CreateDeposit": "booking", "SettleDeposit": "booking", "ReceiveStripeEvent": "gateway"}
STAFF = ("GetPayment", "ListPayments")


@pytest.fixture
async def edge(failing_till: Till, rpc_edge: StartEdge) -> Edge:
    return await rpc_edge("payment", servicers(failing_till.app))


@pytest.fixture
def owner(failing_till: Till) -> Caller:
    return member(failing_till.organization)


async def staff(edge: Edge, method: str, request: Any, caller: Caller) -> Any:
    return await edge.call(PaymentServiceStub, method, request, caller=caller)


async def internal(edge: Edge, method: str, request: Any, caller: Caller) -> Any:
    return await edge.call(DepositServiceStub, method, request, caller=caller)


async def refused(call: Any) -> AppError:
    with pytest.raises(AppError) as caught:
        await call
    return caught.value


def a_request(method: str) -> Any:
    match method:
        case "CreateDeposit":
            money = values_pb2.Money(amount=7000, currency="EUR")
            return pb.CreateDepositRequest(booking_id=ids.show("bkg", ids.new()), amount=money)
        case "SettleDeposit":
            return pb.SettleDepositRequest(booking_id=ids.show("bkg", ids.new()))
        case "ReceiveStripeEvent":
            return pb.ReceiveStripeEventRequest(payload=b"{}", signature="t=1,v1=0")
        case "GetPayment":
            return pb.GetPaymentRequest(payment_id=ids.show("pay", ids.new()))
        case _:
            return pb.ListPaymentsRequest()


def test_every_rpc_of_the_contract_is_covered_here() -> None:
    methods = {rpc.method.name for rpc in contract.rpcs().values() if rpc.service == "payment"}
    of_privacy = {"ListOpenPayments"}  # test_privacy.py
    assert methods == {*INTERNAL, *STAFF} | of_privacy


@pytest.mark.parametrize("method", INTERNAL)
async def test_internal_rpcs_answer_nobody_but_their_callers(
    edge: Edge, failing_till: Till, owner: Caller, method: str
) -> None:
    wrong_service = {"booking": "support", "gateway": "booking"}[INTERNAL[method]]
    for caller in (owner, anonymous()):
        refusal = await refused(internal(edge, method, a_request(method), caller))
        assert refusal.kind is Kind.UNAUTHENTICATED
    caller = service(wrong_service, failing_till.organization)
    refusal = await refused(internal(edge, method, a_request(method), caller))
    assert refusal.reason == "PERMISSION_DENIED"


@pytest.mark.parametrize("method", STAFF)
async def test_staff_rpcs_need_a_member_who_may_read_payments(
    edge: Edge, failing_till: Till, method: str
) -> None:
    assert (await refused(staff(edge, method, a_request(method), anonymous()))).kind is Kind.UNAUTHENTICATED
    lacking = [role for role in permissions.ROLES if "payments.read" not in permissions.of_role(role)]
    assert lacking
    for role in lacking:
        caller = member(failing_till.organization, role)
        refusal = await refused(staff(edge, method, a_request(method), caller))
        assert refusal.reason == "PERMISSION_DENIED"


async def test_booking_makes_and_settles_a_deposit(edge: Edge, failing_till: Till) -> None:
    caller = service("booking", failing_till.organization)
    request = a_request("CreateDeposit")
    made = await internal(edge, "CreateDeposit", request, caller)
    assert made.provider == "stripe"
    assert made.client_secret
    assert made.payment.status == pb.PAYMENT_STATUS_PENDING
    assert made.payment.booking_id == request.booking_id
    assert await internal(edge, "CreateDeposit", request, caller) == made
    await failing_till.guest.pay(made.payment.provider_reference)
    settled = await internal(
        edge, "SettleDeposit", pb.SettleDepositRequest(booking_id=request.booking_id), caller
    )
    assert settled.status == pb.PAYMENT_STATUS_SUCCEEDED
    unknown = await internal(edge, "SettleDeposit", a_request("SettleDeposit"), caller)
    assert unknown.status == pb.PAYMENT_STATUS_UNSPECIFIED


async def test_another_amount_and_amounts_the_provider_does_not_take_are_refused(
    edge: Edge, failing_till: Till
) -> None:
    caller = service("booking", failing_till.organization)
    request = a_request("CreateDeposit")
    await internal(edge, "CreateDeposit", request, caller)
    request.amount.amount = 8000
    assert (await refused(internal(edge, "CreateDeposit", request, caller))).reason == "DEPOSIT_MISMATCH"
    small = a_request("CreateDeposit")
    small.amount.amount = 10
    refusal = await refused(internal(edge, "CreateDeposit", small, caller))
    assert refusal.reason == "PAYMENT_PROVIDER_REFUSED"


@pytest.mark.parametrize(
    ("method", "fields", "pointer"),
    [
        ("CreateDeposit", {"booking_id": "bkg_nonsense"}, "/booking_id"),
        ("CreateDeposit", {"booking_id": ""}, "/booking_id"),
        ("CreateDeposit", {"amount": {"amount": 0, "currency": "EUR"}}, "/amount/amount"),
        ("CreateDeposit", {"amount": {"amount": -1, "currency": "EUR"}}, "/amount/amount"),
        ("CreateDeposit", {"amount": {"amount": 1, "currency": "euro"}}, "/amount/currency"),
        ("SettleDeposit", {"booking_id": "pay_00000000000000000000000000"}, "/booking_id"),
    ],
)
async def test_bad_input_is_named_and_not_echoed(
    edge: Edge, failing_till: Till, method: str, fields: dict[str, Any], pointer: str
) -> None:
    request = a_request(method)
    for name, value in fields.items():
        if isinstance(value, dict):
            getattr(request, name).CopyFrom(values_pb2.Money(**value))
        else:
            setattr(request, name, value)
    refusal = await refused(internal(edge, method, request, service("booking", failing_till.organization)))
    assert refusal.reason == "INVALID_REQUEST"
    assert [violation.pointer for violation in refusal.violations] == [pointer]
    assert "nonsense" not in repr(refusal.violations)


async def test_a_forged_webhook_is_a_bad_request(edge: Edge) -> None:
    payload = webhook("payment_intent.succeeded", "pi_1")
    request = pb.ReceiveStripeEventRequest(payload=payload, signature="t=1,v1=00")
    refusal = await refused(internal(edge, "ReceiveStripeEvent", request, service("gateway")))
    assert (refusal.reason, refusal.kind.http_status) == ("STRIPE_SIGNATURE_INVALID", 400)


async def test_staff_read_a_payment(edge: Edge, failing_till: Till, owner: Caller) -> None:
    payment = await failing_till.paid()
    request = pb.GetPaymentRequest(payment_id=ids.show("pay", payment.id))
    read = (await staff(edge, "GetPayment", request, owner)).payment
    assert read.status == pb.PAYMENT_STATUS_SUCCEEDED
    assert (read.amount.amount, read.amount.currency) == (7000, "EUR")
    assert read.HasField("refunded")
    assert (read.refunded.amount, read.refunded.currency) == (0, "EUR")
    assert read.provider_reference == reference(payment)
    assert read.created_at.ToDatetime(payment.created_at.tzinfo) == payment.created_at


async def test_another_tenants_payment_is_one_that_does_not_exist(edge: Edge, failing_till: Till) -> None:
    payment = await failing_till.offer()
    stranger = member(ids.new())
    for payment_id in (ids.show("pay", payment.id), ids.show("pay", ids.new()), "pay_nonsense", "x"):
        request = pb.GetPaymentRequest(payment_id=payment_id)
        refusal = await refused(staff(edge, "GetPayment", request, stranger))
        assert (refusal.reason, refusal.kind) == ("PAYMENT_NOT_FOUND", Kind.NOT_FOUND)
    assert not (await staff(edge, "ListPayments", pb.ListPaymentsRequest(), stranger)).items

    async def ask(payment_id: str) -> None:
        await refused(staff(edge, "GetPayment", pb.GetPaymentRequest(payment_id=payment_id), stranger))

    foreign, random = ids.show("pay", payment.id), ids.show("pay", ids.new())
    assert await costs_the_same(failing_till.app.db, ask, foreign, random)


async def test_ids_of_others_cost_what_random_ones_cost(edge: Edge, failing_till: Till) -> None:
    payment = await failing_till.offer()
    theirs = {
        "payment_id": ids.show("pay", payment.id),
        "booking_id": ids.show("bkg", payment.booking_id),
    }
    compared = await compare(edge, failing_till.app.db, member(ids.new()), theirs, valid={})
    assert {each.method for each in compared} == {"GetPayment", "ListPayments"}
    assert all(each.same_answer and each.same_work and each.looked for each in compared)


async def test_payments_are_listed_newest_first_page_by_page(
    edge: Edge, failing_till: Till, owner: Caller
) -> None:
    made = [await failing_till.offer() for _ in range(5)]
    seen, token = [], ""
    for _ in range(3):
        request = pb.ListPaymentsRequest(page_size=2, page_token=token)
        page = await staff(edge, "ListPayments", request, owner)
        seen += [item.id for item in page.items]
        token = page.next_page_token
    assert token == ""
    assert seen == [ids.show("pay", payment.id) for payment in reversed(made)]


async def test_payments_of_one_booking_are_listed(edge: Edge, failing_till: Till, owner: Caller) -> None:
    payment = await failing_till.offer()
    await failing_till.offer(amount=DEPOSIT)
    request = pb.ListPaymentsRequest(booking_id=ids.show("bkg", payment.booking_id))
    page = await staff(edge, "ListPayments", request, owner)
    assert [item.id for item in page.items] == [ids.show("pay", payment.id)]
    request = pb.ListPaymentsRequest(booking_id="bkg_nonsense")
    refusal = await refused(staff(edge, "ListPayments", request, owner))
    assert [violation.pointer for violation in refusal.violations] == ["/booking_id"]


@pytest.mark.parametrize(
    "token",
    ["nonsense", "WyIiLCIiXQ", "WyJlM2IwYzQ0Mjk4ZmMxYzE0IiwgIngiLCAieSJd"],
    ids=["no token", "another list's", "no sort key"],
)
async def test_a_page_token_that_is_not_ours_is_refused(edge: Edge, owner: Caller, token: str) -> None:
    request = pb.ListPaymentsRequest(page_token=token)
    assert (await refused(staff(edge, "ListPayments", request, owner))).reason == "INVALID_PAGE_TOKEN"
