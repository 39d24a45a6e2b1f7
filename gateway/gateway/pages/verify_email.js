"use strict";
const TEXTS = {
  en: {
    title: "Confirm your e-mail address", why: "One click, and your organization is ready.", confirm: "Confirm",
    done: "Your address is confirmed. You can log in now.",
    invalid: "This link is not valid any more. Ask for a new mail.", down: "This is not available at the moment. Please try again."
  },
  fr: {
    title: "Confirmez votre adresse e-mail", why: "Un clic, et votre organisation est prête.", confirm: "Confirmer",
    done: "Votre adresse est confirmée. Vous pouvez vous connecter.",
    invalid: "Ce lien n’est plus valable. Demandez un nouvel e-mail.", down: "Indisponible pour le moment. Veuillez réessayer."
  }
};
const language = navigator.language.startsWith("fr") ? "fr" : "en";
const text = (key) => TEXTS[language][key];
const button = document.getElementById("confirm");

async function verify() {
  button.disabled = true;
  document.getElementById("fault").textContent = "";
  const token = new URLSearchParams(location.search).get("token") || "";
  try {
    const answer = await fetch("/v1/auth/email/verify", {
      method: "POST", credentials: "omit", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token })
    });
    if (answer.ok) {
      document.getElementById("news").textContent = text("done");
      button.hidden = true;
      return;
    }
    document.getElementById("fault").textContent = text(answer.status < 500 ? "invalid" : "down");
  } catch {
    document.getElementById("fault").textContent = text("down");
  }
  button.disabled = false;
}

document.documentElement.lang = language;
document.title = text("title");
for (const each of document.querySelectorAll("[data-text]")) each.textContent = text(each.dataset.text);
button.addEventListener("click", verify);
