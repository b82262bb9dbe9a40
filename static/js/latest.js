// The way back to the newest line: the button `data-latest` shows once one has scrolled far from it.
const FAR = 200;
const log = () => document.getElementById("scroll");

const look = () => {
  const scroll = log();
  const button = document.querySelector("[data-latest]");
  if (!scroll || !button) return;
  // The log's scroll axis starts at its end: 0 is the newest line.
  const away = -scroll.scrollTop;
  if (away < 2) delete scroll.dataset.news;
  button.hidden = away < FAR;
};
document.addEventListener("scroll", (event) => event.target === log() && look(), { capture: true, passive: true });
document.addEventListener("htmx:afterSettle", look);
look();

document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-latest]")) return;
  const scroll = log();
  scroll.scrollTo({ top: 0, behavior: "instant" });
  // The button goes, its focus must not. On touch the box would bring the keyboard up.
  (matchMedia("(pointer: coarse)").matches ? scroll : document.getElementById("message")).focus();
});
