const TEXTS = {
  en: {
    title: "The waitlist", day: "Day", time: "Time", party: "People", name: "Name", position: "Place in line",
    around: "{day}, or up to {count} days earlier or later", any: "any", from: "from {earliest}", until: "until {latest}",
    between: "{earliest} to {latest}",
    offer: "A place for you", place: "{start}. It is kept for you until {until}.", deposit: "A deposit of {amount} is due then.",
    instead: "Your other booking is cancelled in its place.", costs: "Of the deposit you paid for it, {amount} is kept.",
    fee: "What cancelling your other booking costs has changed. Please look again.",
    accept: "Yes, I take it", decline: "No, and I leave the waitlist", keep: "No, but I go on waiting",
    change: "Wait for something else", flexible: "Days earlier or later", earliest: "Earliest start", latest: "Latest start",
    save: "Change my wish", changed: "Your wish was changed.", bookable: "This can be booked now: nobody has to wait for it.",
    leave: "Leave the waitlist", sure: "Yes, leave it", left: "You left the waitlist.", answered: "Your answer arrived.",
    waiting: "You are on the waitlist", offered: "There is a place for you", accepted: "You took a place",
    declined: "You declined a place", expired: "This is over", withdrawn: "You left the waitlist",
    removed: "The venue took you off the waitlist", closed: "You have booked in another way",
    unknown: "This link is not valid any more. The newest mail has the newest link.",
    taken: "That is not possible any more.", wrong: "That cannot be. Please check what you entered.",
    down: "This is not available at the moment. Please try again."
  },
  fr: {
    title: "La liste d’attente", day: "Jour", time: "Horaire", party: "Personnes", name: "Nom", position: "Votre rang",
    around: "{day}, ou jusqu’à {count} jours avant ou après", any: "toute heure", from: "à partir de {earliest}",
    until: "jusqu’à {latest}", between: "de {earliest} à {latest}",
    offer: "Une place pour vous", place: "{start}. Elle vous est gardée jusqu’à {until}.",
    deposit: "Un acompte de {amount} sera alors à régler.",
    instead: "Votre autre réservation sera alors annulée.", costs: "De l’acompte que vous avez versé, {amount} seront retenus.",
    fee: "Le coût de l’annulation de votre autre réservation a changé. Veuillez vérifier.",
    accept: "Oui, je la prends", decline: "Non, et je quitte la liste", keep: "Non, mais je continue d’attendre",
    change: "Attendre autre chose", flexible: "Jours avant ou après", earliest: "Au plus tôt", latest: "Au plus tard",
    save: "Modifier ma demande", changed: "Votre demande est modifiée.",
    bookable: "Il reste de la place : inutile d’attendre, réservez directement.",
    leave: "Quitter la liste d’attente", sure: "Oui, la quitter", left: "Vous avez quitté la liste d’attente.",
    answered: "Votre réponse est arrivée.",
    waiting: "Vous êtes sur la liste d’attente", offered: "Une place est là pour vous", accepted: "Vous avez pris une place",
    declined: "Vous avez refusé une place", expired: "C’est terminé", withdrawn: "Vous avez quitté la liste d’attente",
    removed: "L’établissement vous a retiré de la liste", closed: "Vous avez réservé autrement",
    unknown: "Ce lien n’est plus valable. L’e-mail le plus récent contient le bon lien.",
    taken: "Ce n’est plus possible.", wrong: "Ce n’est pas possible. Veuillez vérifier votre saisie.",
    down: "Indisponible pour le moment. Veuillez réessayer."
  }
};
let token = location.pathname.split("/").pop();
let entry = null;
let currency = "";

const link = (step = "") => "/v1/waitlist/" + token + step;

function filled(key, values) {
  return text(key).replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

function instant(value, options) {
  return new Intl.DateTimeFormat(language, { timeZone: entry.time_zone, ...options }).format(new Date(value));
}

function day() {
  const shown = new Intl.DateTimeFormat(language, { timeZone: "UTC", dateStyle: "full" }).format(new Date(entry.date));
  return entry.flexible_days ? filled("around", { day: shown, count: entry.flexible_days }) : shown;
}

function time() {
  if (entry.earliest && entry.earliest === entry.latest) return entry.earliest;
  if (entry.earliest) return filled(entry.latest ? "between" : "from", entry);
  return entry.latest ? filled("until", entry) : text("any");
}

function draw(seen) {
  entry = seen.entry;
  currency = seen.venue.currency;
  translate(entry.guest.language || "en");
  wear(seen.venue.theme);
  at("venue").textContent = seen.venue.name;
  at("address").textContent = seen.venue.address;
  at("status").textContent = text(entry.status);
  at("day").textContent = day();
  at("time").textContent = time();
  at("party").textContent = entry.party_size;
  at("name").textContent = entry.guest.name;
  at("position").textContent = entry.position;
  show("position-label", entry.position);
  show("position", entry.position);
  drawOffer(entry.offer);
  show("summary", true);
  show("change", entry.status === "waiting" && !entry.joined_by_booking_id);  // that one is changed by its booking's link
  show("leave", entry.status === "waiting" || entry.status === "offered");
  show("ask", true);
  show("sure", false);
  at("date").value = entry.date;
  at("flexible").value = entry.flexible_days;
  at("earliest").value = entry.earliest;
  at("latest").value = entry.latest;
  at("size").value = entry.party_size;
}

function drawOffer(offer) {
  show("offer", offer);
  if (!offer) return;
  const when = instant(offer.start, { dateStyle: "full", timeStyle: "short" });
  const start = when + " (" + zone(offer.start, entry.time_zone) + ")";
  at("place").textContent = filled("place", { start, until: instant(offer.expires_at, { timeStyle: "short" }) });
  at("deposit").textContent = offer.deposit ? filled("deposit", { amount: money(offer.deposit) }) : "";
  const fee = offer.fee_if_accepted;
  const costs = fee && fee.amount > 0 ? " " + filled("costs", { amount: money(fee) }) : "";
  at("instead").textContent = entry.instead_of_booking ? text("instead") + costs : "";
}

async function load() {
  draw(await call(link()));
}

async function accept() {
  const fee = entry.offer.fee_if_accepted || { amount: 0, currency };
  const accepted = await shownFee(() => call(link("/accept"), { accepted_fee: fee }), load);
  if (accepted) location.assign("/manage/" + accepted.manage_token);
}

async function decline(keep) {
  await call(link("/decline"), { keep });
  await load();
  at("news").textContent = text("answered");
}

async function leave() {
  await call(link("/withdraw"), {});
  await load();
  at("news").textContent = text("left");
}

async function change() {
  const wish = {
    venue_id: entry.venue_id, offering_id: entry.offering_id, guest: entry.guest, notes: entry.notes,
    area_id: entry.area_id, attributes: entry.attributes, date: at("date").value, flexible_days: at("flexible").valueAsNumber, earliest: at("earliest").value,
    latest: at("latest").value, party_size: at("size").valueAsNumber, waitlist_token: token
  };
  let joined;
  try {
    joined = await call("/v1/waitlist", wish);
  } catch (fault) {
    if (fault.message !== "SLOT_AVAILABLE") throw fault;
    at("fault").textContent = text("bookable");
    return;
  }
  token = joined.waitlist_token;
  history.replaceState(null, "", "/waitlist/" + token);
  await load();
  at("news").textContent = text("changed");
}

translate(language);
at("accept").addEventListener("click", () => attempt(accept));
at("decline").addEventListener("click", () => attempt(() => decline(false)));
at("keep").addEventListener("click", () => attempt(() => decline(true)));
at("wish").addEventListener("submit", (event) => { event.preventDefault(); attempt(change); });
at("ask").addEventListener("click", () => { show("ask", false); show("sure", true); at("sure").focus(); });
at("sure").addEventListener("click", () => attempt(leave));
attempt(load);
