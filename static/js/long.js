// Long chats: a message far from the screen keeps its height and its words (the browser's search finds them), not its markup.
const ENOUGH = 60;
const packed = new Map();

const pack = (message) => {
  if (packed.has(message) || message.matches(":focus-within, [data-stream]")) return;
  if (message.querySelector(":popover-open, dialog[open]")) return;
  if ([...message.querySelectorAll("textarea")].some((area) => area.value !== area.defaultValue)) return;
  const selection = getSelection();
  if (!selection.isCollapsed && selection.containsNode(message, true)) return;
  const words = document.createElement("div");
  words.className = "body";
  words.hidden = "until-found";
  words.textContent = message.querySelector(".body")?.textContent ?? "";
  message.style.blockSize = `${message.getBoundingClientRect().height}px`;
  packed.set(message, message.innerHTML);
  message.replaceChildren(words);
};

const unpack = (message) => {
  if (!packed.has(message)) return;
  message.innerHTML = packed.get(message);
  packed.delete(message);
  message.style.blockSize = "";
  htmx.process(message);
};

const look = (entries) => {
  const many = document.querySelectorAll(".message").length > ENOUGH;
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) unpack(target);
    else if (many && target.isConnected) pack(target);
  }
};

let observer;
const watch = () => {
  const root = document.getElementById("scroll");
  if (!root) return;
  // The whole log may have been replaced.
  if (observer?.root !== root) {
    observer?.disconnect();
    observer = new IntersectionObserver(look, { root, rootMargin: "100% 0px" });
  }
  for (const message of packed.keys()) if (!message.isConnected) packed.delete(message);
  // Observed anew, a message is looked at once more: by now there may be enough of them.
  for (const message of root.querySelectorAll(".message")) {
    if (!packed.has(message)) observer.unobserve(message);
    observer.observe(message);
  }
};
document.addEventListener("htmx:load", watch);
watch();
document.addEventListener("beforematch", (event) => unpack(event.target.closest(".message")));
addEventListener("beforeprint", () => [...packed.keys()].forEach(unpack));
