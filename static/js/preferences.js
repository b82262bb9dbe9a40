// How a person likes the page, and where they are.

// The person's time zone, so that "Today" and the hours are theirs. Told anew each day, for travellers.
if (!/(^|; )timezone=/.test(document.cookie)) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  document.cookie = `timezone=${zone}; path=/; max-age=86400; SameSite=Lax`;
}

// Theme, sidebar, shortcuts: shown at once; the form itself saves the choice in a cookie for the next page.
document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-preferences]") || !event.submitter) return;
  const { name, value } = event.submitter;
  const root = document.documentElement;
  if (["system", "open", "on"].includes(value)) delete root.dataset[name];
  else root.dataset[name] = value;
  for (const button of event.target.querySelectorAll("[aria-pressed]")) {
    button.setAttribute("aria-pressed", String(button === event.submitter));
  }
  // The button that folds the sidebar goes with it: its counterpart takes the focus.
  if (name === "sidebar") document.querySelector(value === "folded" ? ".unfold button" : ".fold button")?.focus();
});

// Whoever signs out leaves nothing of theirs in this browser.
document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-sign-out]")) return;
  for (const name of Object.keys(localStorage)) if (name.startsWith("draft:")) localStorage.removeItem(name);
  sessionStorage.clear();
});
