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
