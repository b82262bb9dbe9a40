// Copy buttons: `data-copy` in a code block copies the code, `data-copy-message` the text of its message.
(() => {
  const write = async (text) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    // Pages on plain http have no clipboard object; the older command still works there.
    const area = Object.assign(document.createElement("textarea"), { value: text, className: "hidden" });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  };

  // A selection leaves out what cannot be selected (the header of a code block) and keeps the line breaks.
  const textOf = (body) => {
    const selection = getSelection();
    selection.selectAllChildren(body);
    const text = selection.toString();
    selection.removeAllRanges();
    return text.trim();
  };

  const confirm = (button) => {
    const label = button.getAttribute("aria-label") ? "aria-label" : null;
    const before = label ? button.getAttribute(label) : button.textContent;
    const say = (words) => (label ? button.setAttribute(label, words) : (button.textContent = words));
    if (button.dataset.copied !== undefined) return;
    button.dataset.copied = "";
    say("Copied");
    setTimeout(() => {
      delete button.dataset.copied;
      say(before);
    }, 1500);
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy], [data-copy-message]");
    if (!button) return;
    const code = button.closest("figure")?.querySelector("code");
    const body = button.closest("article")?.querySelector(".body");
    await write(button.matches("[data-copy]") ? code.textContent : textOf(body));
    confirm(button);
  });
})();
