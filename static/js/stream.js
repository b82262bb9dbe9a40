// A running reply: `data-stream` is the address of its events; the HTML of each goes where `data-event` names it.
// Others hear of it by the events `stream:lost`, `stream:back` and `stream:end` of its article.
(() => {
  const RETRY = 500;
  const RETRY_MAX = 5_000;
  const sources = new Map();

  // The log's scroll axis starts at its end: at 0 it follows the newest line. Away from there, what is being read stays
  // where it is while its reply grows below, whatever the browser does of itself.
  const steadily = (article, change) => {
    const scroll = article.closest("[role=log]");
    if (!scroll || scroll.scrollTop > -2) return change();
    const { id } = article;
    const { top } = article.getBoundingClientRect();
    change();
    scroll.dataset.news = "";
    const moved = document.getElementById(id)?.getBoundingClientRect().top - top;
    if (Math.abs(moved) >= 1) scroll.scrollTop += moved;
  };

  const thought = (article) => article?.querySelector("details.thought");
  // A thought that somebody has opened stays open when its reply comes whole again, or ends.
  const keepingThought = (article, swap) => {
    const { id } = article;
    const open = thought(article)?.open;
    swap();
    const details = open && thought(document.getElementById(id));
    if (details) details.open = true;
  };

  const shows = {
    reply: (place, html) => (place.innerHTML = html),
    blocks: (place, html) => place.insertAdjacentHTML("beforeend", html),
    tail: (place, html) => (place.innerHTML = html),
    thought: (place, html) => place.insertAdjacentHTML("beforeend", html),
    "thought-title": (place, html) => (place.innerHTML = html),
  };

  const tell = (article, what) => article.dispatchEvent(new CustomEvent(`stream:${what}`, { bubbles: true }));

  const close = (article) => {
    sources.get(article)?.close();
    sources.delete(article);
  };

  const open = (article, retry = RETRY) => {
    const source = new EventSource(article.dataset.stream);
    sources.set(article, source);
    // A connection alone is no sign of life: something has to come.
    const found = () => {
      retry = RETRY;
      if (!article.hasAttribute("data-lost")) return;
      article.removeAttribute("data-lost");
      tell(article, "back");
    };
    for (const [name, show] of Object.entries(shows)) {
      source.addEventListener(name, ({ data }) => {
        found();
        const place = article.querySelector(`[data-event="${name}"]`);
        if (!place) return;
        steadily(article, () => (name === "reply" ? keepingThought(article, () => show(place, data)) : show(place, data)));
      });
    }
    source.addEventListener("end", ({ data }) => {
      found();
      close(article);
      tell(article, "end");
      const swap = () => htmx.swap(article, data, { swapStyle: "outerHTML" }, { contextElement: article });
      steadily(article, () => keepingThought(article, swap));
    });
    source.addEventListener("error", () => {
      if (!article.hasAttribute("data-lost")) {
        article.setAttribute("data-lost", "");
        tell(article, "lost");
      }
      // An answer that is no stream (a proxy's page, a sign-in) ends the browser's own attempts.
      if (source.readyState !== EventSource.CLOSED) return;
      setTimeout(() => {
        if (sources.get(article) === source) open(article, Math.min(retry * 2, RETRY_MAX));
      }, retry);
    });
  };

  // htmx tells of every element that comes, the body first of all.
  document.addEventListener("htmx:load", () => {
    for (const article of sources.keys()) if (!article.isConnected) close(article);
    for (const article of document.querySelectorAll("[data-stream]")) if (!sources.has(article)) open(article);
  });
})();
