// Where the reader is: the way back to the newest line, the place kept for when they come back to the conversation, and
// what was said meanwhile in another tab.
(() => {
  const FAR = 200;
  const FRAMES = 12;
  const log = () => document.getElementById("scroll");
  const key = () => `place:${location.pathname}`;

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

  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-latest]")) return;
    const scroll = log();
    scroll.scrollTo({ top: 0, behavior: "instant" });
    // The button goes, its focus must not. On touch the box would bring the keyboard up.
    (matchMedia("(pointer: coarse)").matches ? scroll : document.getElementById("message")).focus();
  });

  // The place is the message at the top of the screen and how far above the edge it begins: it holds when more is said.
  const keep = () => {
    const scroll = log();
    if (!scroll) return;
    const edge = scroll.getBoundingClientRect().top;
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
  const settle = () => {
    restore();
    look();
  };
  // Whoever begins to scroll is not moved any more.
  for (const name of ["wheel", "pointerdown", "keydown"]) addEventListener(name, () => (place = null), { passive: true });
  document.addEventListener("htmx:afterSettle", settle);

  addEventListener("DOMContentLoaded", () => {
    const kept = sessionStorage.getItem(key());
    if (!kept || location.hash || location.search) return look();
    place = JSON.parse(kept);
    settle();
  });

  // What another tab did shows when somebody looks at this one, unless they are about something here.
  const BUSY = "[data-stream], [data-edit], .again, .feedback [open], .htmx-request, #notice [formaction]";
  const last = () => document.getElementById("seen")?.value;
  let asking = false;
  const catchUp = async () => {
    const seen = last();
    if (asking || document.hidden || !seen || !log() || document.querySelector(BUSY)) return;
    asking = true;
    try {
      const { action } = document.querySelector("[data-composer]");
      const answer = await fetch(`${action}?seen=${seen}`, { headers: { "HX-Request": "true" } });
      const html = await answer.text();
      if (answer.redirected || seen !== last() || document.querySelector(BUSY)) return;
      if (answer.status === 404) htmx.swap("#notice", html, { swapStyle: "innerHTML" });
      if (answer.status !== 200) return;
      keep();
      place = JSON.parse(sessionStorage.getItem(key()));
      htmx.swap("#messages", html, { swapStyle: "innerHTML" });
    } catch {
      // The next look asks again.
    } finally {
      asking = false;
    }
  };
  document.addEventListener("visibilitychange", catchUp);
  addEventListener("focus", catchUp);
  addEventListener("pageshow", ({ persisted }) => persisted && catchUp());
})();
