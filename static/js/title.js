// The tab's title tells of a reply that runs (`data-stream`) or is ready.
const MARKS = /^[●✓] /;
let ready = false;

// Set only when it changes: some screen readers read a title aloud whenever it is set.
const tell = () => {
  const mark = document.querySelector("[data-stream]") ? "● " : ready ? "✓ " : "";
  const wanted = mark + document.title.replace(MARKS, "");
  if (document.title !== wanted) document.title = wanted;
};

document.addEventListener("stream:end", () => (ready = document.hidden));
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) ready = false;
  tell();
});
for (const name of ["htmx:load", "htmx:afterSettle"]) document.addEventListener(name, tell);
tell();
