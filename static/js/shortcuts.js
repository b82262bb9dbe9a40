// Shortcuts: a single key presses, or focuses, what names it in `aria-keyshortcuts`; Escape stops the reply that runs.
(() => {
  const FIELDS = "input, textarea, select, [contenteditable]";
  const isShown = (element) => element.getClientRects().length > 0;

  const focus = (field) => {
    if (!isShown(field)) field.closest("[popover]")?.showPopover();
    field.focus();
    field.select();
  };

  const press = (event) => {
    const targets = [...document.querySelectorAll(`[aria-keyshortcuts="${CSS.escape(event.key)}"]`)];
    const target = targets.find(isShown) ?? targets[0];
    if (!target) return;
    event.preventDefault();
    if (target.matches(FIELDS)) focus(target);
    else target.click();
  };

  // What is open closes first, and whoever edits a message only leaves that.
  const stop = (event) => {
    if (document.querySelector(":popover-open, dialog[open]")) return;
    if (event.target.matches(FIELDS) && event.target.id !== "message") return;
    document.querySelector("[data-stop] button")?.click();
  };

  document.addEventListener("keydown", (event) => {
    if (document.documentElement.dataset.shortcuts === "off" || event.defaultPrevented || event.isComposing) return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.key === "Escape") stop(event);
    else if (event.key.length === 1 && !event.target.closest(FIELDS) && !document.querySelector("dialog:modal")) press(event);
  });
})();
