// Settings open in a dialog: what is swapped into a `<dialog>` shows it, saving closes it, and so does `data-close`.
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
