// How things stand: the tab's title tells of a reply that runs or is ready, a line above the composer of a lost connection.
(() => {
  const PATIENCE = 3_000;
  const MARKS = /^[●✓] /;
  const OFFLINE = "You are offline. What you type stays here.";
  const LOST = "Reconnecting…";
  let ready = false;
  let waiting = 0;

  // Set only when it changes: some screen readers read a title aloud whenever it is set.
  const title = () => {
    const mark = document.querySelector("[data-stream]") ? "● " : ready ? "✓ " : "";
    const wanted = mark + document.title.replace(MARKS, "");
    if (document.title !== wanted) document.title = wanted;
  };

  const line = () => {
    const place = document.getElementById("connection");
    const words = !navigator.onLine ? OFFLINE : waiting < 0 && document.querySelector("[data-lost]") ? LOST : "";
    if (place && place.textContent !== words) place.textContent = words;
  };

  // A short break mends itself unseen.
  document.addEventListener("stream:lost", () => {
    if (waiting > 0) return;
    waiting = setTimeout(() => {
      waiting = -1;
      line();
    }, PATIENCE);
  });
  const back = () => {
    if (document.querySelector("[data-lost]")) return;
    clearTimeout(waiting);
    waiting = 0;
    line();
  };
  document.addEventListener("stream:back", back);
  for (const name of ["online", "offline"]) addEventListener(name, line);

  document.addEventListener("stream:end", () => (ready = document.hidden));
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) ready = false;
    title();
  });
  for (const name of ["htmx:load", "htmx:afterSettle"]) {
    document.addEventListener(name, () => {
      title();
      back();
      line();
    });
  }
})();

// What to say when the server could not be reached, or answered with something that is no sentence for a person.
(() => {
  const UNREACHABLE = "The server could not be reached. What you typed is still here; try again in a moment.";
  const UNEXPECTED = "Something went wrong on the server. What you typed is still here; try again in a moment.";

  const say = (sentence) => {
    const paragraph = document.createElement("p");
    paragraph.textContent = sentence;
    document.getElementById("notice")?.replaceChildren(paragraph);
  };

  document.addEventListener("htmx:sendError", () => say(UNREACHABLE));
  document.addEventListener("htmx:timeout", () => say(UNREACHABLE));

  // A proxy's or a debug page is a whole document: it must not land near the composer.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (!event.detail.isError || !/<html|<body|<!doctype/i.test(event.detail.serverResponse)) return;
    event.detail.shouldSwap = false;
    say(UNEXPECTED);
  });
})();
