const TEXTS = {
  en: {
    title: "Your booking", when: "When", party: "People", name: "Name", deposit: "Deposit", number: "Number",
    move: "Choose another time", day: "Day", show: "Show free times", none: "Nothing is free on that day.",
    cancel: "Cancel this booking", sure: "Yes, cancel it", refunded: "You get back {amount}.",
    kept: "The deposit is not refunded.", free: "Cancelling costs nothing.",
    fee: "What cancelling costs has changed. Please look again.",
    missed: "If you neither come nor cancel, {amount} of the deposit is kept.",
    help: "Ask for help", subject: "Subject", message: "Message", send: "Send",
    sent: "Your message was sent. The answer comes by e-mail.", moved: "Your booking was moved.",
    called_off: "Your booking was cancelled.", you: "You", staff: "The team",
    kept_until: "The table is kept until {time}. Pay the deposit where you booked.",
    held: "Waiting for the deposit", confirmed: "Confirmed", cancelled: "Cancelled", expired: "Expired",
    requested: "Waiting for an answer", declined: "Declined", arrived: "You are here", seated: "You are seated",
    completed: "Completed", no_show: "Missed",
    unknown: "This link is not valid any more.", taken: "That is no longer possible. Choose again.",
    wrong: "That cannot be. Please check what you entered.",
    down: "This is not available at the moment. Please try again."
  },
  fr: {
    title: "Votre réservation", when: "Date", party: "Personnes", name: "Nom", deposit: "Acompte", number: "Numéro",
    move: "Choisir un autre horaire", day: "Jour", show: "Voir les horaires libres",
    none: "Aucun horaire libre ce jour-là.",
    cancel: "Annuler cette réservation", sure: "Oui, annuler", refunded: "{amount} vous seront remboursés.",
    kept: "L’acompte n’est pas remboursé.", free: "L’annulation est gratuite.",
    fee: "Le coût de l’annulation a changé. Veuillez vérifier.",
    missed: "Si vous ne venez pas sans avoir annulé, {amount} de l’acompte seront retenus.",
    help: "Demander de l’aide", subject: "Objet", message: "Message", send: "Envoyer",
    sent: "Votre message est envoyé. La réponse arrive par e-mail.", moved: "Votre réservation est déplacée.",
    called_off: "Votre réservation est annulée.", you: "Vous", staff: "L’équipe",
    kept_until: "La table est gardée jusqu’à {time}. Réglez l’acompte là où vous avez réservé.",
    held: "En attente de l’acompte", confirmed: "Confirmée", cancelled: "Annulée", expired: "Expirée",
    requested: "En attente de réponse", declined: "Refusée", arrived: "Vous êtes sur place",
    seated: "Vous êtes à table", completed: "Terminée", no_show: "Manquée",
    unknown: "Ce lien n’est plus valable.", taken: "Ce n’est plus possible. Choisissez à nouveau.",
    wrong: "Ce n’est pas possible. Veuillez vérifier votre saisie.",
    down: "Indisponible pour le moment. Veuillez réessayer."
  }
};
const api = "/v1/manage/" + location.pathname.split("/").pop();
let booking = null;
let fee = null;

function instant(value, options) {
  return new Intl.DateTimeFormat(language, { timeZone: booking.time_zone, ...options }).format(new Date(value));
}

function draw(managed) {
  booking = managed.booking;
  fee = managed.fee_if_cancelled || { amount: 0, currency: managed.venue.currency };
  translate(booking.guest ? booking.guest.language || "en" : language);
  wear(managed.venue.theme);
  at("venue").textContent = managed.venue.name;
  at("address").textContent = managed.venue.address;
  at("status").textContent = text(booking.status);
  const when = instant(booking.start, { dateStyle: "full", timeStyle: "short" });
  at("when").textContent = when + " (" + zone(booking.start, booking.time_zone) + ")";
  at("party").textContent = booking.party_size;
  at("name").textContent = booking.guest ? booking.guest.name : "";
  at("number").textContent = booking.id;
  show("deposit-label", booking.deposit);
  show("deposit", booking.deposit);
  if (booking.deposit) at("deposit").textContent = money(booking.deposit);
  const held = booking.status === "held" && booking.hold_expires_at;
  at("kept").textContent = held
    ? text("kept_until").replace("{time}", instant(booking.hold_expires_at, { timeStyle: "short" })) : "";
  const back = managed.refund_if_cancelled;
  const refund = !back ? "free" : back.amount > 0 ? "refunded" : "kept";
  at("refund").textContent = text(refund).replace("{amount}", back ? money(back) : "");
  const missed = managed.fee_if_missed;
  at("missed").textContent = missed && missed.amount > 0 ? text("missed").replace("{amount}", money(missed)) : "";
  const alive = ["requested", "held", "confirmed"].includes(booking.status);
  show("summary", true);
  show("move", alive);
  show("cancel", alive);
  show("help", true);
  show("ask", true);
  show("sure", false);
  at("times").replaceChildren();
  if (!at("date").value) at("date").value = booking.service_date;
}

function drawTickets(tickets) {
  at("tickets").replaceChildren(...tickets.flatMap((ticket) => [
    line("p", ticket.subject),
    ...ticket.messages.map((each) => line("div", text(each.author === "guest" ? "you" : "staff") + ": " + each.text))
  ]));
}

function line(tag, content) {
  const made = document.createElement(tag);
  made.textContent = content;
  if (tag === "div") made.className = "message";
  return made;
}

async function load() {
  draw(await call(api));
  const tickets = [];
  let token = "";
  do {
    const page = await call(api + "/tickets?page_token=" + encodeURIComponent(token));
    tickets.push(...page.items);
    token = page.next_page_token;
  } while (token);
  drawTickets(tickets);
}

async function search() {
  const query = new URLSearchParams({
    date: at("date").value, party_size: booking.party_size, offering_id: booking.offering_id
  });
  if (booking.area_id) query.set("area_id", booking.area_id);
  for (const each of booking.attributes || []) query.append("attributes", each);
  const found = await call("/v1/venues/" + encodeURIComponent(booking.venue_id) + "/availability?" + query);
  const free = found.slots.filter((slot) => slot.bookable);
  at("times").replaceChildren(...free.map((slot) => {
    const button = line("button", instant(slot.start, { timeStyle: "short" }));
    button.type = "button";
    button.className = "plain";
    button.addEventListener("click", () => attempt(() => move(slot.start)));
    return button;
  }));
  if (!free.length) at("news").textContent = text("none");
}

async function move(start) {
  await call(api + "/move", { start });
  await load();
  at("news").textContent = text("moved");
}

async function cancel() {
  if (!await shownFee(() => call(api + "/cancel", { accepted_fee: fee }), load)) return;
  await load();
  at("news").textContent = text("called_off");
}

async function ask() {
  await call(api + "/tickets", { subject: at("subject").value, text: at("text").value });
  at("ticket").reset();
  await load();
  at("news").textContent = text("sent");
}

translate(language);
at("search").addEventListener("submit", (event) => { event.preventDefault(); attempt(search); });
at("ticket").addEventListener("submit", (event) => { event.preventDefault(); attempt(ask); });
at("ask").addEventListener("click", () => { show("ask", false); show("sure", true); at("sure").focus(); });
at("sure").addEventListener("click", () => attempt(cancel));
attempt(load);
