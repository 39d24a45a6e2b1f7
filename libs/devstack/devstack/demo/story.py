"""The eight steps of the main job, told and checked."""

import secrets
from collections.abc import Mapping
from typing import Any

import httpx
from rich.console import Console

from devstack.demo import guest as guests
from devstack.demo import owner as owners
from devstack.demo.api import Api, Refused, Sink, check, only, wait_for
from devstack.demo.guest import Guest
from devstack.demo.owner import Owner, Venue
from devstack.demo.partner import Partner

_SLOW = 90.0


class Story:
    """One run, with an organization and guests of its own, so that it can be told again."""

    def __init__(
        self, console: Console, *, gateway: str, sink: str, stripe: str, metrics: Mapping[str, str], name: str
    ) -> None:
        self.step = 0
        self._console = console
        self._trace_id = secrets.token_hex(16)
        self._api = Api(gateway)
        self._traced = Api(gateway, traceparent=f"00-{self._trace_id}-{secrets.token_hex(8)}-01")
        self._sink = Sink(sink)
        self._stripe = stripe
        self._metrics = metrics
        self._name = name
        self._partner = Partner()
        self._owner: Owner
        self._venue: Venue
        self._date = guests.next_service_day()

    def tell(self) -> None:
        """Raises Failed, Refused or TimeoutError at the first thing that does not hold."""
        self._open_the_restaurant()
        self._search()
        small, large = self._book_two_and_seven()
        self._manage_by_link(small)
        self._told_to_the_partner(large)
        self._help(large)
        self._read_numbers()
        self._follow_the_trace()

    def close(self) -> None:
        """Closes every connection."""
        for each in (self._api, self._traced, self._sink, self._partner):
            each.close()

    def _begin(self, title: str) -> None:
        self.step += 1
        self._console.print(f"\n[bold cyan]{self.step}[/bold cyan] [bold]{title}[/bold]")

    def _say(self, text: str) -> None:
        self._console.print(f"  [green]✓[/green] {text}")

    def _open_the_restaurant(self) -> None:
        self._begin("An owner registers, verifies, and opens Chez Paulette")
        email = f"paulette-{self._name}@demo.example"
        password = secrets.token_urlsafe(18)
        self._owner = owners.register(
            self._api, self._sink, email=email, password=password, organization=f"Chez Paulette {self._name}"
        )
        self._say(f"{email} followed the link of the mail and owns {self._owner.organization_id}")
        self._venue = owners.open_chez_paulette(self._owner, slug=f"chez-paulette-{self._name}")
        self._say(f"venue {self._venue.slug}: 8 tables, 2 combinations, Dinner with a deposit from 6 people")
        registered = self._owner.api.post("/v1/webhook-endpoints", {"url": self._partner.url})
        self._partner.secret = registered["secret"]
        self._say(f"a partner listens at {self._partner.url}")

    def _search(self) -> None:
        self._begin(f"Anybody asks for a time on {self._date}")
        slots = guests.search(self._api, self._venue, date=self._date, party_size=2)
        bookable = [slot["start"] for slot in slots if slot["bookable"]]
        check(bookable, "no start is bookable")
        self._say(f"2 people: {len(bookable)} starts, {bookable[0]} to {bookable[-1]}")
        refused = guests.search(self._api, self._venue, date=self._date, party_size=30)
        check({slot["reason"] for slot in refused} == {"no_table_for_party"}, refused)
        self._say("30 people: every start refused with no_table_for_party")
        monday = guests.search(self._api, self._venue, date="2020-01-07", party_size=2)
        check(not any(slot["bookable"] for slot in monday), "a past day is bookable")
        self._say("a day in the past: nothing to book")

    def _start(self, party_size: int, *, hour: int) -> str:
        slots = guests.search(self._api, self._venue, date=self._date, party_size=party_size)
        return guests.first_start(slots, hour=hour)

    def _book_two_and_seven(self) -> tuple[dict[str, Any], dict[str, Any]]:
        self._begin("Guests book: two people at once, seven with a deposit, and one who never pays")
        claire = Guest("Claire Dubois", f"claire-{self._name}@guest.example", "fr")
        small = guests.book(self._api, self._venue, start=self._start(2, hour=19), party_size=2, guest=claire)
        check(small["booking"]["status"] == "confirmed", small)
        self._say(f"Claire, 2 people: confirmed at once, {small['booking']['start']}")

        james = Guest("James Smith", f"james-{self._name}@guest.example", "en")
        start = self._start(7, hour=19)
        key = secrets.token_hex(8)
        large = guests.book(self._traced, self._venue, start=start, party_size=7, guest=james, key=key)
        check(large["booking"]["status"] == "held", large)
        check(large["deposit_payment"]["amount"] == {"amount": 7000, "currency": "EUR"}, large)
        again = guests.book(self._api, self._venue, start=start, party_size=7, guest=james, key=key)
        check(again["booking"]["id"] == large["booking"]["id"], "an Idempotency-Key made a second booking")
        self._say(
            "James, 7 people: held for a deposit of 70.00 EUR; the repeated request booked nothing more"
        )

        guests.pay(self._stripe, large["deposit_payment"]["client_secret"])
        self._wait_for_status(large["booking"]["id"], "confirmed")
        self._say("James paid with a card; Stripe's signed webhook confirmed the booking")
        self._let_a_hold_expire(start)
        return small, large

    def _let_a_hold_expire(self, start: str) -> None:
        idle = Guest("Noah Late", f"noah-{self._name}@guest.example")
        held = guests.book(self._api, self._venue, start=start, party_size=8, guest=idle)
        check(held["booking"]["status"] == "held", held)
        check(not self._is_free(start, 8), "a held table is shown as free")
        self._say(f"Noah, 8 people, holds the last big table until {held['booking']['hold_expires_at']}")
        wait_for("the hold to run out", lambda: self._is_free(start, 8), timeout=_SLOW)
        self._say("Noah did not pay: the tables are free again")
        self._wait_for_status(held["booking"]["id"], "expired")

    def _is_free(self, start: str, party_size: int) -> bool:
        slots = guests.search(self._api, self._venue, date=self._date, party_size=party_size)
        return any(slot["bookable"] for slot in slots if slot["start"] == start)

    def _wait_for_status(self, booking_id: str, status: str) -> None:
        path = f"/v1/bookings/{booking_id}"
        wait_for(
            f"booking {booking_id} to be {status}",
            lambda: self._owner.api.get(path)["status"] == status,
            timeout=_SLOW,
        )

    def _manage_by_link(self, small: dict[str, Any]) -> None:
        self._begin("The guest lives by the link of the mail")
        email = small["booking"]["guest"]["email"]
        mail = self._sink.wait_for_mail(email, matching="/manage/")
        calendar = [each for each in mail["attachments"] if str(each["filename"]).endswith(".ics")]
        check(calendar, "the mail has no calendar attachment")
        self._say(f"mail in French: {mail['subject']!r} with {calendar[0]['filename']}")
        link = f"/v1/manage/{guests.manage_token(mail)}"
        check(self._api.get(link)["booking"]["id"] == small["booking"]["id"], "another booking")
        later = self._start(2, hour=21)
        moved = self._api.post(f"{link}/move", {"start": later})
        check(moved["start"] == later, moved)
        self._say(f"moved to {later}")
        cancelled = self._api.post(f"{link}/cancel")
        check(cancelled["status"] == "cancelled", cancelled)
        self._say("cancelled; by the link alone")
        reminder = wait_for(
            "the reminder to die with the booking",
            lambda: self._reminder(small["booking"]["id"], "cancelled"),
        )
        self._say(f"the reminder of {reminder['due_at']} died with it")

    def _reminder(self, booking_id: str, status: str) -> dict[str, Any] | None:
        mails = self._owner.api.get("/v1/notifications", booking_id=booking_id)["items"]
        kept = [mail for mail in mails if mail["kind"] == "booking_reminder"]
        return kept[0] if kept and all(mail["status"] == status for mail in kept) else None

    def _told_to_the_partner(self, large: dict[str, Any]) -> None:
        self._begin("The partner is told, signed per Standard Webhooks")
        booking = large["booking"]["id"]
        wait_for(
            "booking.confirmed", lambda: "booking.confirmed" in self._partner.types(booking), timeout=_SLOW
        )
        wait_for(
            "booking.cancelled",
            lambda: any(each["type"] == "booking.cancelled" for each in self._partner.received),
            timeout=_SLOW,
        )
        check(not self._partner.refused, self._partner.refused)
        check(self._partner.failed == 1, "the partner was to fail once")
        ids = [each["id"] for each in self._partner.received]
        check(len(ids) == len(set(ids)), "an event was delivered twice")
        self._say(f"{len(ids)} events, every signature held; the one that met a 500 came again")

    def _help(self, large: dict[str, Any]) -> None:
        self._begin("The guest asks for help, staff answer")
        booking = large["booking"]
        wish = {"subject": "A birthday", "text": "May we bring a cake?"}
        opened = self._api.post(f"/v1/manage/{large['manage_token']}/tickets", wish)
        tickets = self._owner.api.get("/v1/tickets", booking_id=booking["id"])["items"]
        ticket = only(tickets, f"tickets at booking {booking['id']}")
        check(ticket["id"] == opened["id"], ticket)
        self._say(f"ticket {ticket['id']} stands at booking {booking['id']}")
        answer = {"text": "With pleasure, we have candles."}
        self._owner.api.post(f"/v1/tickets/{ticket['id']}/messages", answer)
        mail = self._sink.wait_for_mail(booking["guest"]["email"], matching="we have candles")
        self._say(f"the answer came by mail: {mail['subject']!r}")

    def _read_numbers(self) -> None:
        self._begin("The owner reads the numbers, computed from Kafka facts alone")
        venue = self._venue.id
        today = wait_for("today's numbers", lambda: self._complete(self._overview(venue)), timeout=_SLOW)
        done = today["activity"]
        check(done["deposits"] == {"amount": 7000, "currency": "EUR"}, done)
        self._say(
            f"today ({today['date']}): {done['bookings']} bookings, {done['covers']} covers,"
            f" {done['cancellations']} cancellation, deposits {done['deposits']['amount'] / 100:.2f} EUR"
        )
        service = self._owner.api.get("/v1/analytics/overview", venue_id=venue, date=self._date)["service"]
        check(service["bookings"] == 1, service)
        check(service["covers"] == 7, service)  # noqa: PLR2004
        check(service["occupancy_basis_points"] > 0, service)
        occupancy = service["occupancy_basis_points"] / 100
        self._say(f"service of {self._date}: {service['covers']} covers, occupancy {occupancy:.1f} %")

    def _overview(self, venue: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._owner.api.get("/v1/analytics/overview", venue_id=venue)
        except Refused:
            return None
        return found

    @staticmethod
    def _complete(overview: dict[str, Any] | None) -> dict[str, Any] | None:
        if overview is None:
            return None
        done = overview["activity"]
        whole = (done["bookings"], done["cancellations"]) == (2, 1) and done["deposits"]["amount"]
        return overview if whole else None

    def _follow_the_trace(self) -> None:
        self._begin("One trace covers every hop, and each has RED metrics")
        wanted = {"gateway", "booking", "payment", "notification", "analytics"}
        services = wait_for("the whole trace", lambda: self._services(wanted), timeout=_SLOW)
        self._say(f"trace {self._trace_id}: {', '.join(sorted(services))}")
        for program, url in self._metrics.items():
            text = httpx.get(url).raise_for_status().text
            name = "comptoir_http_requests_total" if program == "gateway" else "comptoir_rpc_served_total"
            counted = "comptoir_events_handled_total{" if program == "analytics" else f"{name}{{"
            check(counted in text, f"{program} has no {counted}")
        self._say(f"RED metrics at {', '.join(self._metrics)}")

    def _services(self, wanted: set[str]) -> set[str] | None:
        found = {span["service"] for span in self._sink.spans(self._trace_id)}
        return found if wanted <= found else None
