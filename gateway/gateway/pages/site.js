const TEXTS = {
  en: {
    title: "Our places", none: "There is no place here yet.",
    unknown: "There is nothing here.", taken: "That is no longer possible.", wrong: "That cannot be.",
    down: "This is not available at the moment. Please try again."
  },
  fr: {
    title: "Nos établissements", none: "Il n’y a pas encore d’établissement ici.",
    unknown: "Il n’y a rien ici.", taken: "Ce n’est plus possible.", wrong: "Ce n’est pas possible.",
    down: "Indisponible pour le moment. Veuillez réessayer."
  }
};

function card(venue) {
  const section = document.createElement("section");
  const name = document.createElement("h2");
  name.textContent = venue.name;
  const address = document.createElement("p");
  address.className = "quiet";
  address.textContent = venue.address || "";
  section.append(name, address);
  return section;
}

async function load() {
  const site = await call("/v1/site");
  wear(site.theme);
  if (site.theme && site.theme.name) document.title = site.theme.name;
  const venues = site.items || [];
  at("venues").replaceChildren(...venues.map(card));
  if (!venues.length) at("news").textContent = text("none");
}

translate(language);
attempt(load);
