const TEXTS = {
  en: {
    title: "Your invitation", why_new: "Choose a password, and you have an account and are a member.",
    why_known: "You have an account already. Give its password, and you are a member.",
    organization: "Organization", role: "Your role", until: "Valid until", email: "E-mail address", name: "Your name",
    new_password: "Password, of at least 12 characters", password: "Password of your account",
    join: "Accept the invitation", forgot: "Forgot your password?",
    done: "You are a member of {organization} now. You can log in.",
    owner: "Owner", admin: "Administrator", manager: "Manager", host: "Host", accountant: "Accountant", viewer: "Viewer",
    unknown: "This link is not valid any more. Ask for a new mail.",
    wrong: "This does not work. Please check what you have typed in.", taken: "This does not work at the moment. Please try again.",
    weak: "This password is too easy to guess.", mismatch: "This is not the password of your account.",
    often: "Too many attempts. Please try again later.",
    full: "The organization has as many members as its plan allows. Please tell whoever invited you.",
    down: "This is not available at the moment. Please try again."
  },
  fr: {
    title: "Votre invitation", why_new: "Choisissez un mot de passe : vous aurez un compte et serez membre.",
    why_known: "Vous avez déjà un compte. Saisissez son mot de passe pour devenir membre.",
    organization: "Organisation", role: "Votre rôle", until: "Valable jusqu’au", email: "Adresse e-mail", name: "Votre nom",
    new_password: "Mot de passe, d’au moins 12 caractères", password: "Mot de passe de votre compte",
    join: "Accepter l’invitation", forgot: "Mot de passe oublié ?",
    done: "Vous êtes maintenant membre de {organization}. Vous pouvez vous connecter.",
    owner: "Propriétaire", admin: "Administrateur", manager: "Gérant", host: "Accueil", accountant: "Comptable", viewer: "Lecture seule",
    unknown: "Ce lien n’est plus valable. Demandez un nouvel e-mail.",
    wrong: "Cela ne fonctionne pas. Vérifiez votre saisie.", taken: "Cela ne fonctionne pas pour le moment. Veuillez réessayer.",
    weak: "Ce mot de passe est trop facile à deviner.", mismatch: "Ce n’est pas le mot de passe de votre compte.",
    often: "Trop de tentatives. Veuillez réessayer plus tard.",
    full: "L’organisation a autant de membres que sa formule le permet. Prévenez la personne qui vous a invité.",
    down: "Indisponible pour le moment. Veuillez réessayer."
  }
};
// What only this page is refused for; attempt() has words for all else.
const REFUSALS = {
  INVALID_CREDENTIALS: "mismatch", PASSWORD_TOO_COMMON: "weak", PLAN_LIMIT_REACHED: "full",
  RATE_LIMITED: "often", TOO_MANY_ATTEMPTS: "often", TOO_MANY_WRONG_LINKS: "often"
};
const ROLES = ["owner", "admin", "manager", "host", "accountant", "viewer"];
const token = new URLSearchParams(location.search).get("token") || "";
let invitation = null;

function draw() {
  const known = invitation.has_account;
  at("why").textContent = text(known ? "why_known" : "why_new");
  at("organization").textContent = invitation.organization_name;
  // An organization's own roles are called what it calls them.
  at("role").textContent = ROLES.includes(invitation.role_name) ? text(invitation.role_name) : invitation.role_name;
  at("until").textContent = new Intl.DateTimeFormat(language, { dateStyle: "long" }).format(new Date(invitation.expires_at));
  at("email").value = invitation.email;
  at("name").required = !known;
  at("password-label").textContent = text(known ? "password" : "new_password");
  at("password").autocomplete = known ? "current-password" : "new-password";
  show("name-field", !known);
  show("forgot", known);
  show("invitation", true);
}

// The answer; null where words for its refusal are shown.
async function told(path, wish) {
  try {
    return await call(path, wish);
  } catch (fault) {
    if (!(fault.message in REFUSALS)) throw fault;
    at("fault").textContent = text(REFUSALS[fault.message]);
    return null;
  }
}

// Only reads: whoever opens the link, a mail scanner too, accepts nothing by it.
async function load() {
  if (!token) {
    at("fault").textContent = text("unknown");
    return;
  }
  invitation = await told("/v1/auth/invitations/read", { token });
  if (invitation) draw();
}

async function join() {
  const wish = { token, password: at("password").value, language };
  if (!invitation.has_account) wish.display_name = at("name").value.trim();
  if (!await told("/v1/auth/invitations/join", wish)) return;
  show("invitation", false);
  at("news").textContent = text("done").replace("{organization}", () => invitation.organization_name);
}

translate(language);
at("form").addEventListener("submit", (event) => { event.preventDefault(); attempt(join); });
attempt(load);
