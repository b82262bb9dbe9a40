// How a person likes the page, and where they are.

// The person's time zone, so that "Today" and the hours are theirs. Told anew each day, for travellers.
if (!/(^|; )timezone=/.test(document.cookie)) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  document.cookie = `timezone=${zone}; path=/; max-age=86400; SameSite=Lax`;
}

// Theme and sidebar: shown at once; the form itself saves the choice in a cookie for the next page.
document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-preferences]") || !event.submitter) return;
  const { name, value } = event.submitter;
  const root = document.documentElement;
  if (value === "system" || value === "open") delete root.dataset[name];
  else root.dataset[name] = value;
  for (const button of event.target.querySelectorAll("[aria-pressed]")) {
    button.setAttribute("aria-pressed", String(button === event.submitter));
  }
  // The button that folds the sidebar goes with it: its counterpart takes the focus.
  if (name === "sidebar") document.querySelector(value === "folded" ? ".unfold button" : ".fold button")?.focus();
});
