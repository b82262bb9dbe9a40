// What a person sets: how they like the page, where they are, and the settings of a chat.

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

// Settings open in a dialog: what is swapped into a `<dialog>` shows it, saving closes it, and so does `data-close`.
(() => {
  document.addEventListener("htmx:afterSwap", ({ target }) => {
    if (target instanceof HTMLDialogElement && !target.open) target.showModal();
  });

  document.addEventListener("htmx:afterRequest", ({ target, detail }) => {
    if (detail.successful && detail.requestConfig.verb === "post") target.closest("dialog")?.close();
  });

  document.addEventListener("click", (event) => {
    const dialog = event.target.closest("[data-close]")?.closest("dialog");
    if (!dialog) return;
    event.preventDefault();
    dialog.close();
  });
})();
