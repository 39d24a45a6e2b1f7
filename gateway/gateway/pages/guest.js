"use strict";
// What the pages of guests share. Each of them has its words in TEXTS.
const at = (id) => document.getElementById(id);
const show = (id, visible) => { at(id).hidden = !visible; };
let language = navigator.language.startsWith("fr") ? "fr" : "en";

const text = (key) => TEXTS[language][key];

function translate(chosen) {
  if (chosen in TEXTS) language = chosen;
  document.documentElement.lang = language;
  document.title = text("title");
  for (const each of document.querySelectorAll("[data-text]")) each.textContent = text(each.dataset.text);
}

// The look of the organization: colours that look like some, and a name as text. Nothing else of it becomes style.
function wear(theme) {
  if (!theme) return;
  at("brand").textContent = theme.name || at("brand").textContent;
  const colours = [theme.background, theme.text, theme.accent];
  if (!colours.every((each) => /^#[0-9a-f]{6}$/.test(each))) return;
  const [background, ink, accent] = colours;
  const { style } = document.documentElement;
  const names = { paper: background, ground: background, ink, quiet: ink, line: ink, accent };
  for (const [name, colour] of Object.entries(names)) style.setProperty("--" + name, colour);
  style.colorScheme = parseInt(background.slice(3, 5), 16) < 128 ? "dark" : "light";
}

function money(value) {
  const format = new Intl.NumberFormat(language, { style: "currency", currency: value.currency });
  return format.format(value.amount / 10 ** format.resolvedOptions().maximumFractionDigits);
}

// Like "Europe/Paris, GMT+01:00", as in mails: whoever travels is told whose time it is, and an hour that comes twice which one.
function zone(value, timeZone) {
  const parts = new Intl.DateTimeFormat(language, { timeZone, timeZoneName: "longOffset" }).formatToParts(new Date(value));
  return timeZone.replaceAll("_", " ") + ", " + parts.find((each) => each.type === "timeZoneName").value;
}

async function call(path, body) {
  // Whoever looks at the page has no session here, even where the browser holds one of staff.
  const options = { credentials: "omit", ...(body ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) } : {}) };
  const answer = await fetch(path, options);
  const content = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(content.reason), { status: answer.status });
  return content;
}

// What a guest agreed to lose, and nothing else: when it is another amount by now, that is shown before it is taken.
async function shownFee(work, reload) {
  try {
    return await work();
  } catch (fault) {
    if (fault.message !== "CANCELLATION_FEE_CHANGED") throw fault;
    await reload();
    at("fault").textContent = text("fee");
    return null;
  }
}

async function attempt(work) {
  at("fault").textContent = "";
  at("news").textContent = "";
  const buttons = document.querySelectorAll("button");
  buttons.forEach((each) => { each.disabled = true; });
  try {
    await work();
  } catch (fault) {
    at("fault").textContent = text({ 400: "wrong", 404: "unknown", 409: "taken", 422: "wrong" }[fault.status] || "down");
  } finally {
    document.querySelectorAll("button").forEach((each) => { each.disabled = false; });
  }
}
