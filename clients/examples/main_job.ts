/**
 * The main job with the TypeScript client: a restaurant opens, a party books with a deposit, pays, and cancels.
 *
 * Needs a platform with its stand-ins (`make up`) at COMPTOIR_URL, SINK_URL (mails) and STRIPE_URL (payments).
 */

import { Comptoir, every, Problem, type models } from "comptoir-client";

declare const process: { env: Record<string, string | undefined> };

const MILLISECONDS = 60_000;
const PAUSE = 200;
const PARTY = 7;

/** A value that must be there. */
function given<Value>(value: Value | undefined, what: string): Value {
  if (value === undefined) throw new Error(`${what} is missing`);
  return value;
}

/** The first answer of `probe` that is something, within a minute. */
async function waitFor<Value>(what: string, probe: () => Promise<Value | undefined>): Promise<Value> {
  const limit = Date.now() + MILLISECONDS;
  while (Date.now() < limit) {
    const found = await probe();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
  throw new Error(`waited in vain for ${what}`);
}

async function json<Body>(address: string, request: RequestInit = {}): Promise<Body> {
  const response = await fetch(address, request);
  if (!response.ok) throw new Error(`${address}: ${response.status}`);
  return (await response.json()) as Body;
}

/** What `pattern` finds in a mail to that address, as soon as there is one. */
function secretOfMail(sink: string, to: string, pattern: RegExp): Promise<string> {
  return waitFor(`a mail to ${to}`, async () => {
    for (const mail of await json<{ id: string }[]>(`${sink}/mails?to=${encodeURIComponent(to)}`)) {
      const found = pattern.exec((await json<{ text: string }>(`${sink}/mails/${mail.id}`)).text)?.[1];
      if (found !== undefined) return found;
    }
    return undefined;
  });
}

/** Registers, follows the link of the mail, and logs in. */
async function register(anybody: Comptoir, sink: string, name: string): Promise<Comptoir> {
  const email = `owner-${name}@demo.example`;
  const password = crypto.randomUUID();
  const body = { email, password, display_name: "Paulette", organization_name: `Chez Paulette ${name}` };
  await anybody.register({ body });
  const token = await secretOfMail(sink, email, /\/verify-email\?token=([A-Za-z0-9_-]+)/);
  await anybody.verifyEmail({ body: { token } });
  const { tokens } = await anybody.logIn({ body: { email, password } });
  return anybody.withToken(given(tokens, "a session").access_token);
}

/** Two tables, and dinner every day, with a deposit from six people on. */
async function openRestaurant(owner: Comptoir, name: string): Promise<[models.Venue, models.Offering]> {
  const venue = await owner.createVenue({
    body: { name: "Chez Paulette", slug: `paulette-${name}`, time_zone: "Europe/Paris", currency: "EUR" },
  });
  const venue_id = venue.id;
  await owner.createResource({ venue_id, body: { name: "T1", kind: "table", min_party: 1, max_party: 4 } });
  await owner.createResource({ venue_id, body: { name: "T2", kind: "table", min_party: 5, max_party: 8 } });
  const dinner = await owner.createOffering({
    venue_id,
    body: {
      name: "Dinner",
      turn_times: [{ max_party: 8, minutes: 120 }],
      deposit: {
        from_party: 6,
        per_person: { amount: 1000, currency: "EUR" },
        free_cancellation_hours: 24,
      },
      slot_minutes: 15,
      min_notice_minutes: 60,
      max_advance_days: 90,
    },
  });
  const weekdays = [1, 2, 3, 4, 5, 6, 7];
  const hours = { opens: "19:00", last_start: "21:00", closes: "23:30" };
  await owner.createShift({ venue_id, body: { offering_id: dinner.id, weekdays, ...hours } });
  return [venue, dinner];
}

/** Does what Stripe's script does in a browser. */
async function pay(stripe: string, clientSecret: string): Promise<void> {
  const intent = given(clientSecret.split("_secret_")[0], "the intent");
  const post = <Body>(path: string, form: Record<string, string>): Promise<Body> =>
    json<Body>(`${stripe}/v1/${path}`, {
      method: "POST",
      headers: { Authorization: `Basic ${btoa("sk_test_browser:")}` },
      body: new URLSearchParams(form),
    });
  const card = { "card[number]": "4242424242424242", "card[exp_month]": "12", "card[exp_year]": "2040" };
  const method = await post<{ id: string }>("payment_methods", { type: "card", ...card, "card[cvc]": "123" });
  await post(`payment_intents/${intent}`, { payment_method: method.id });
  await post(`payment_intents/${intent}/confirm`, {});
}

/** Why a call is refused. */
async function refusal(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    if (error instanceof Problem) return error.reason;
    throw error;
  }
  return "NOT_REFUSED";
}

/** What happened, for whoever checks it. */
async function tell(anybody: Comptoir, sink: string, stripe: string): Promise<Record<string, unknown>> {
  const name = crypto.randomUUID().slice(0, 8);
  const owner = await register(anybody, sink, name);
  const [venue, dinner] = await openRestaurant(owner, name);
  const date = new Date(Date.now() + 3 * 86_400_000).toISOString().slice(0, 10);
  const { slots } = await anybody.searchAvailability({ venue_id: venue.slug, date, party_size: PARTY });
  const wish: models.CreateBookingRequest = {
    venue_id: venue.id,
    offering_id: dinner.id,
    start: given(slots.find((slot) => slot.bookable)?.start, "a start"),
    party_size: PARTY,
    guest: { name: "James Smith", email: `guest-${name}@guest.example`, language: "en" },
  };
  const idempotencyKey = crypto.randomUUID();
  const held = await anybody.createBooking({ body: wish, idempotencyKey });
  const again = await anybody.createBooking({ body: wish, idempotencyKey });
  const booking = given(held.booking, "a booking");
  const deposit = given(held.deposit_payment, "a deposit");
  await pay(stripe, deposit.client_secret);
  await waitFor("the payment", async () => {
    const { status } = await owner.getBooking({ booking_id: booking.id });
    return status === "confirmed" ? status : undefined;
  });
  const token = await secretOfMail(sink, `guest-${name}@guest.example`, /\/manage\/([A-Za-z0-9_-]+)/);
  const managed = given((await anybody.getManagedBooking({ token })).booking, "a booking");
  const cancelled = await anybody.cancelManagedBooking({ token });
  const tables: string[] = [];
  const page = (page_token: string) => owner.listResources({ venue_id: venue.id, page_size: 1, page_token });
  for await (const table of every(page)) tables.push(table.name);
  const listed = await owner.listBookings({ venue_id: venue.id, date });
  return {
    starts: slots.length,
    held: booking.status,
    deposit: deposit.amount?.amount,
    booked_once: again.booking?.id === booking.id,
    managed: managed.id === booking.id && managed.status,
    cancelled: cancelled.status,
    tables,
    bookings: listed.items.map((each) => each.id === booking.id),
    another_wish: await refusal(anybody.createBooking({ body: { ...wish, party_size: 6 }, idempotencyKey })),
    no_link: await refusal(anybody.getManagedBooking({ token: "a".repeat(43) })),
  };
}

const url = given(process.env["COMPTOIR_URL"], "COMPTOIR_URL");
const sink = given(process.env["SINK_URL"], "SINK_URL");
const stripe = given(process.env["STRIPE_URL"], "STRIPE_URL");
console.log(JSON.stringify(await tell(new Comptoir({ url }), sink, stripe)));
