"use strict";
const TEXTS = {
  en: {
    email: "E-mail address", password: "New password, of at least 12 characters",
    invalid: "This link is not valid any more. Ask for a new mail.", wrong: "This does not work. Please check what you have typed in.",
    weak: "This password is too easy to guess.", down: "This is not available at the moment. Please try again.",
    "/forgot-password": { title: "Forgot your password?", why: "We mail you a link that sets a new one.", confirm: "Send the link", done: "If there is an account with this address, a mail is on its way." },
    "/reset-password": { title: "Set a new password", why: "All devices are logged out.", confirm: "Set the password", done: "Your password is set. You can log in now." },
    "/confirm-email": { title: "Confirm your new e-mail address", why: "One click, and this is the address of your account.", confirm: "Use this address", done: "Your account has its new address." },
    "/revert-email": { title: "Take the change back", why: "Your account gets its old address back, and all devices are logged out.", confirm: "Take the change back", done: "Your account has its old address back. A mail with a link to set a new password is on its way." }
  },
  fr: {
    email: "Adresse e-mail", password: "Nouveau mot de passe, d’au moins 12 caractères",
    invalid: "Ce lien n’est plus valable. Demandez un nouvel e-mail.", wrong: "Cela ne fonctionne pas. Vérifiez votre saisie.",
    weak: "Ce mot de passe est trop facile à deviner.", down: "Indisponible pour le moment. Veuillez réessayer.",
    "/forgot-password": { title: "Mot de passe oublié ?", why: "Nous vous envoyons un lien pour en choisir un nouveau.", confirm: "Envoyer le lien", done: "Si un compte a cette adresse, un e-mail est en route." },
    "/reset-password": { title: "Choisissez un nouveau mot de passe", why: "Tous les appareils seront déconnectés.", confirm: "Choisir ce mot de passe", done: "Votre mot de passe est choisi. Vous pouvez vous connecter." },
    "/confirm-email": { title: "Confirmez votre nouvelle adresse e-mail", why: "Un clic, et votre compte a cette adresse.", confirm: "Utiliser cette adresse", done: "Votre compte a sa nouvelle adresse." },
    "/revert-email": { title: "Annuler la modification", why: "Votre compte retrouve son ancienne adresse et tous les appareils sont déconnectés.", confirm: "Annuler la modification", done: "Votre compte a retrouvé son ancienne adresse. Un e-mail pour choisir un nouveau mot de passe est en route." }
  }
};
const CALLS = {
  "/forgot-password": { path: "/v1/auth/password/forgot", email: true },
  "/reset-password": { path: "/v1/auth/password/reset", token: true, password: true },
  "/confirm-email": { path: "/v1/auth/email/confirm", token: true },
  "/revert-email": { path: "/v1/auth/email/revert", token: true }
};
const language = navigator.language.startsWith("fr") ? "fr" : "en";
const texts = TEXTS[language];
const own = texts[location.pathname];
const call = CALLS[location.pathname];
const part = (id) => document.getElementById(id);

function wish() {
  const asked = {};
  if (call.token) asked.token = new URLSearchParams(location.search).get("token") || "";
  if (call.email) asked.email = part("email").value.trim();
  if (call.password) asked.new_password = part("password").value;
  return asked;
}

function fault(answer) {
  if (answer.status === 404) return texts.invalid;
  if (answer.status === 422) return texts.weak;
  return answer.status < 500 ? texts.wrong : texts.down;
}

async function send(event) {
  event.preventDefault();
  part("confirm").disabled = true;
  part("fault").textContent = "";
  try {
    const answer = await fetch(call.path, {
      method: "POST", credentials: "omit", headers: { "Content-Type": "application/json" }, body: JSON.stringify(wish())
    });
    if (answer.ok) {
      part("news").textContent = own.done;
      part("form").hidden = true;
      return;
    }
    part("fault").textContent = fault(answer);
  } catch {
    part("fault").textContent = texts.down;
  }
  part("confirm").disabled = false;
}

document.documentElement.lang = language;
document.title = own.title;
for (const id of ["title", "why", "confirm"]) part(id).textContent = own[id];
for (const field of ["email", "password"]) {
  part(`${field}-label`).textContent = texts[field];
  part(`${field}-field`).hidden = !call[field];
  part(field).required = Boolean(call[field]);
}
part("form").addEventListener("submit", send);
