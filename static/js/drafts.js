// Drafts: what is typed and not yet sent stays in this browser, for each conversation and each person, until it is sent.
(() => {
  const PREFIX = "draft:";
  const MOST = 50;
  const LONGEST = 100_000;
  const AGE = 30 * 24 * 60 * 60 * 1000;
  const box = () => document.getElementById("message");
  const key = (path) => `${PREFIX}${box().dataset.person}:${path}`;
  const here = () => key(new URL(box().form.action).pathname);
  const drafts = () => Object.keys(localStorage).filter((name) => name.startsWith(PREFIX));

  const read = (name) => {
    try {
      return JSON.parse(localStorage.getItem(name)) ?? {};
    } catch {
      return {};
    }
  };

  // A browser may refuse to store, or have no room.
  const keep = () => {
    const text = box().value;
    try {
      if (text.trim() && text.length <= LONGEST) localStorage.setItem(here(), JSON.stringify({ text, at: Date.now() }));
      else localStorage.removeItem(here());
    } catch {
      localStorage.removeItem(here());
    }
  };

  // Those of somebody else on this browser, the old ones, and what is more than enough.
  const clear = () => {
    const mine = drafts().filter((name) => name.startsWith(key("")) || localStorage.removeItem(name));
    const newest = mine.map((name) => [read(name).at ?? 0, name]).sort((a, b) => b[0] - a[0]);
    newest.forEach(([at, name], place) => {
      if (place >= MOST || Date.now() - at > AGE) localStorage.removeItem(name);
    });
  };

  const restore = () => {
    const message = box();
    if (!message || message.dataset.draft !== undefined) return;
    message.dataset.draft = "";
    // What the server gave back, or the browser, is newer.
    if (message.value) return keep();
    const { text } = read(here());
    const said = [...document.querySelectorAll(".message.user .body")].at(-1)?.textContent.trim();
    // Sent, but the answer never reached this page.
    if (!text || text.trim() === said) return localStorage.removeItem(here());
    message.value = text;
    message.setSelectionRange(text.length, text.length);
    message.dispatchEvent(new Event("input", { bubbles: true }));
  };

  document.addEventListener("input", (event) => {
    if (event.target === box()) keep();
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const { elt, path } = event.detail.requestConfig;
    if (!elt.matches("[data-composer]")) return;
    if (event.detail.successful) localStorage.removeItem(key(new URL(path, location.href).pathname));
    keep();
  });
  document.addEventListener("htmx:load", restore);
  addEventListener("DOMContentLoaded", () => {
    if (!box()) return;
    clear();
    restore();
  });
})();
