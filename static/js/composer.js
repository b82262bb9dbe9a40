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

  // As the server counts: characters, an emoji of several units as one, without empty lines before and space after.
  const SPACE = /(?!\ufeff)[\s\x1c-\x1f\x85]/;
  const length = (text) => {
    let [start, end] = [0, text.length];
    while (start < end && SPACE.test(text[start])) start++;
    start = text.slice(0, start).lastIndexOf("\n") + 1;
    while (start < end && SPACE.test(text[end - 1])) end--;
    return [...text.slice(start, end)].length;
  };

  const count = () => {
    const { value, dataset } = box();
    const max = Number(dataset.max);
    const characters = max && value.length > max * 0.9 ? length(value) : 0;
    const output = document.getElementById("count");
    output.value = characters > max * 0.9 ? `${characters.toLocaleString()} / ${max.toLocaleString()}` : "";
    output.toggleAttribute("data-over", characters > max);
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

  // The key on the screen says what it does; the page itself says "Enter".
  document.addEventListener("htmx:load", () => {
    if (touch.matches) return;
    for (const area of document.querySelectorAll("#message, [data-edit] textarea")) area.enterKeyHint = "send";
  });

  // Stop gives way to Send when the reply ends: the keyboard goes back to the text, not to nowhere.
  document.addEventListener("submit", (event) => {
    if (event.target.matches("[data-stop]") && !touch.matches) box().focus();
  });
})();
