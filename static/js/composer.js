// The composer: Enter sends, Shift+Enter breaks the line; a turn is sent once; what was typed leaves the box only when it is stored.
(() => {
  const touch = matchMedia("(hover: none) and (pointer: coarse)");
  const box = () => document.getElementById("message");
  const isComposer = (element) => element instanceof Element && element.matches("[data-composer]");
  let sent = null;
  let meanwhile = "";

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target !== box()) return;
    // While an input method is composing, Enter picks a word. Safari says so only by the key code 229.
    if (event.isComposing || event.keyCode === 229) return;
    if (event.shiftKey || event.altKey || (touch.matches && !event.ctrlKey && !event.metaKey)) return;
    event.preventDefault();
    const send = document.getElementById("send");
    if (send && !send.disabled && event.target.value.trim()) event.target.form.requestSubmit(send);
  });

  const count = () => {
    const message = box();
    const max = Number(message.dataset.max);
    const near = max && message.value.length > max * 0.9;
    const output = document.getElementById("count");
    output.value = near ? `${message.value.length.toLocaleString()} / ${max.toLocaleString()}` : "";
    output.toggleAttribute("data-over", message.value.length > max);
  };
  document.addEventListener("input", (event) => {
    if (event.target === box()) count();
  });

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (!isComposer(event.target)) return;
    if (sent !== null) return event.preventDefault();
    sent = box().value;
    document.getElementById("notice").replaceChildren();
  });

  // A new conversation brings a new box: what was typed while it was on its way moves there.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (sent !== null && !event.detail.isError && box().value !== sent) meanwhile = box().value;
  });

  document.addEventListener("htmx:afterRequest", (event) => {
    // A new conversation replaces the form that began it, so the event may come from an ancestor: its request knows the form.
    if (!isComposer(event.detail.requestConfig.elt)) return;
    const message = box();
    if (event.detail.successful && message.value === sent) message.value = "";
    if (!message.value) message.value = meanwhile;
    sent = null;
    meanwhile = "";
    count();
    message.focus();
    // The log's scroll axis starts at its end: 0 is the newest line.
    if (event.detail.successful) document.getElementById("scroll")?.scrollTo({ top: 0 });
  });

  // Stop gives way to Send when the reply ends: the keyboard goes back to the text, not to nowhere.
  document.addEventListener("submit", (event) => {
    if (event.target.matches("[data-stop]") && !touch.matches) box().focus();
  });
})();
