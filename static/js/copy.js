// Copy buttons: `data-copy` in a code block copies the code, the link `data-copy-message` the Markdown at its address.
const asText = async (source) => new Blob([await source], { type: "text/plain" });

// The browser allows copying for a moment after a click only: where it can, it is promised the text before that came.
const write = async (source) => {
  const { clipboard } = navigator;
  if (clipboard && window.ClipboardItem) {
    const text = asText(source);
    // A browser that refuses at once waits for no text, and nobody would hear that it did not come.
    text.catch(() => {});
    return clipboard.write([new ClipboardItem({ "text/plain": text })]);
  }
  const text = await source;
  if (clipboard) return clipboard.writeText(text);
  // Pages on plain http have no clipboard object; the older command still works there.
  const area = Object.assign(document.createElement("textarea"), { value: text, className: "hidden" });
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  if (!isCopied) throw new Error("refused");
};

const markdown = async (address) => {
  const response = await fetch(address);
  if (!response.ok || response.redirected) throw new Error(response.status);
  return response.text();
};

// The last line's end is the block's, not the code's.
const code = (button) => button.closest("figure").querySelector("code").textContent.replace(/\n$/, "");

const say = (button, words) => {
  const label = button.getAttribute("aria-label") ? "aria-label" : null;
  const before = label ? button.getAttribute(label) : button.textContent;
  const show = (text) => (label ? button.setAttribute(label, text) : (button.textContent = text));
  if (button.dataset.copied !== undefined) return;
  button.dataset.copied = "";
  show(words);
  setTimeout(() => {
    delete button.dataset.copied;
    show(before);
  }, 1500);
};

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-message]");
  // A link opened in another tab shows the text there.
  if (!button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const isCode = button.matches("[data-copy]");
  try {
    await write(isCode ? code(button) : markdown(button.href));
    say(button, "Copied");
  } catch {
    say(button, "Not copied");
  }
});
