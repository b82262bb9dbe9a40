// Editing a message in its place: Enter saves, Shift+Enter breaks the line, Escape gives the message back.
const touch = matchMedia("(hover: none) and (pointer: coarse)");

document.addEventListener("keydown", (event) => {
  const form = event.target.closest("[data-edit], .again");
  // While an input method is composing, Enter picks a word and Escape drops it. Safari says so only by the key code 229.
  if (!form || event.isComposing || event.keyCode === 229) return;
  if (event.key === "Escape") {
    event.preventDefault();
    form.querySelector("[data-cancel]").click();
  } else if (event.key === "Enter" && event.target.matches("[data-edit] textarea")) {
    if (event.shiftKey || event.altKey || (touch.matches && !event.ctrlKey && !event.metaKey)) return;
    event.preventDefault();
    const save = form.querySelector(".primary");
    if (!save.disabled && event.target.value.trim()) form.requestSubmit(save);
  }
});

// The caret stands where one goes on writing.
document.addEventListener("htmx:load", ({ target }) => {
  const text = target.querySelector?.("[data-edit] textarea");
  text?.setSelectionRange(text.value.length, text.value.length);
});
