// The reader's place in a conversation, kept for when they come back to it, and while its messages are replaced.
(() => {
  const FRAMES = 12;
  const log = () => document.getElementById("scroll");
  const key = () => `place:${location.pathname}`;

  // The place is the message at the top of the screen and how far above the edge it begins: it holds when more is said.
  const keep = () => {
    const scroll = log();
    if (!scroll) return;
    const edge = scroll.getBoundingClientRect().top;
    // The log's scroll axis starts at its end: 0 is the newest line.
    const first =
      scroll.scrollTop < -2 &&
      [...scroll.querySelectorAll(".message")].find((message) => message.getBoundingClientRect().bottom > edge);
    if (!first) return sessionStorage.removeItem(key());
    const above = Math.round(first.getBoundingClientRect().top - edge);
    sessionStorage.setItem(key(), JSON.stringify([first.id, above]));
  };
  addEventListener("pagehide", keep);

  let place = null;
  const restore = () => {
    const scroll = log();
    if (!place || !scroll) return;
    const [id, above] = place;
    const message = document.getElementById(id);
    if (message) {
      // Messages that come into view for the first time have another height than was guessed.
      const move = (frames) => {
        if (!place || !frames) return (place = null);
        scroll.scrollTop += message.getBoundingClientRect().top - scroll.getBoundingClientRect().top - above;
        requestAnimationFrame(() => move(frames - 1));
      };
      move(FRAMES);
    } else if (scroll.querySelector(".older[hx-get]")) {
      // On an older page: seeing the top brings it.
      scroll.scrollTop = -scroll.scrollHeight;
    } else {
      place = null;
      scroll.scrollTop = 0;
    }
  };
  // Whoever begins to scroll is not moved any more.
  for (const name of ["wheel", "pointerdown", "keydown"]) addEventListener(name, () => (place = null), { passive: true });
  document.addEventListener("htmx:afterSettle", restore);
  document.addEventListener("seen:news", () => {
    keep();
    place = JSON.parse(sessionStorage.getItem(key()));
  });

  addEventListener("DOMContentLoaded", () => {
    const kept = sessionStorage.getItem(key());
    if (!kept || location.hash || location.search) return;
    place = JSON.parse(kept);
    restore();
  });
})();
