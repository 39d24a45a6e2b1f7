"""What the provider holds: every charge and refund there is, and whose they are."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import httpx

_PAGE = 100


@dataclass(frozen=True, slots=True)
class Books:
    """Charges and refunds at one moment. Amounts are in cents, by the intent they belong to."""

    charges: Counter[tuple[str, int]]
    refunds: Counter[tuple[str, int]]

    def since(self, before: "Books") -> "Books":
        """What has come since."""
        return Books(self.charges - before.charges, self.refunds - before.refunds)


def read_books(stripe_url: str) -> Books:
    """Everything, also what nobody on our side may know of: the intents that a crash has left behind."""
    with httpx.Client(base_url=stripe_url, auth=("sk_test_reader", ""), timeout=15) as stripe:
        charges = [each for each in _all(stripe, "/v1/charges") if each["status"] == "succeeded"]
        refunds = _all(stripe, "/v1/refunds")
    intent_of = {each["id"]: str(each["payment_intent"]) for each in charges}
    return Books(
        Counter((str(each["payment_intent"]), each["amount"]) for each in charges),
        Counter((intent_of[each["charge"]], each["amount"]) for each in refunds),
    )


def _all(stripe: httpx.Client, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        after = {"starting_after": found[-1]["id"]} if found else {}
        page = stripe.get(path, params={"limit": _PAGE, **after}).raise_for_status().json()
        found += page["data"]
        if not page["has_more"]:
            return found
