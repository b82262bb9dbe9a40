// What the first screen does not need is loaded on first use; what a person did to use it happens once it is there.
(() => {
  const RETRY = 1_000;
  // Each address is written out: where files are collected, they get names with hashes, here too.
  const FILES = {
    branch: () => import("./branch.js"),
    copy: () => import("./copy.js"),
    dialog: () => import("./dialog.js"),
    edit: () => import("./edit.js"),
    latest: () => import("./latest.js"),
    long: () => import("./long.js"),
    preferences: () => import("./preferences.js"),
    "sign-out": () => import("./sign-out.js"),
    stream: () => import("./stream.js"),
    title: () => import("./title.js"),
  };
  // Used by a click or a form that is sent there.
  const HELD = {
    click: {
      branch: "button[data-branch]",
      copy: "[data-copy], [data-copy-message]",
      dialog: "[data-opens=dialog]",
      edit: "[data-opens=edit]",
    },
    submit: { branch: "form[data-branch]", preferences: "[data-preferences]", "sign-out": "[data-sign-out]" },
  };
  // Used by being on the page.
  const PRESENT = { long: "article:nth-of-type(61)", stream: "[data-stream]", title: "[data-stream]" };

  const ready = new Set();
  const coming = {};
  const load = (name) => {
    coming[name] ??= FILES[name]()
      // The site may have been updated since: the name without a hash stays. Asked for anew, for some browsers remember
      // what they could not load.
      .catch(() => import(`./${name}.js?${Date.now()}`))
      .then(() => ready.add(name))
      .catch((error) => {
        setTimeout(() => delete coming[name], RETRY);
        throw error;
      });
    return coming[name];
  };
  const need = (name) => ready.has(name) || load(name).catch(() => {});
  const lacking = (uses, element) => Object.keys(uses).find((name) => !ready.has(name) && element.closest?.(uses[name]));

  let passes = false;
  const again = (event) => {
    const { type, target, submitter } = event;
    if (type === "submit") target.requestSubmit(submitter);
    else target.dispatchEvent(new event.constructor(type, event));
  };
  const hold = async (event) => {
    const { target } = event;
    const name = lacking(HELD[event.type], target);
    const link = target.closest("a");
    // A link opened in another tab is the browser's.
    if (!name || passes || (link && (event.ctrlKey || event.metaKey || event.shiftKey))) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    try {
      await load(name);
    } catch {
      document.dispatchEvent(new Event("file:lost"));
      // What works without a script goes on, save for what would only lead away from the page.
      if (link) return;
      passes = true;
    }
    again(event);
    passes = false;
  };
  for (const type of Object.keys(HELD)) document.addEventListener(type, hold, { capture: true });

  // Whoever comes near is about to use it; some browsers let a page copy only in the moment of the click.
  const prepare = ({ target }) => {
    for (const uses of Object.values(HELD)) {
      const name = lacking(uses, target);
      if (name) need(name);
    }
  };
  for (const type of ["pointerover", "focusin"]) document.addEventListener(type, prepare, { passive: true });

  let later = 0;
  const look = () => {
    clearTimeout(later);
    const lost = () => (later = setTimeout(look, RETRY));
    for (const [name, selector] of Object.entries(PRESENT)) {
      if (!ready.has(name) && document.querySelector(selector)) load(name).catch(lost);
    }
  };
  for (const name of ["DOMContentLoaded", "htmx:load"]) document.addEventListener(name, look);
  // Beside a turn that is sent comes what shows its reply, beside older messages what keeps a long chat light.
  document.addEventListener("htmx:beforeRequest", ({ target, detail }) => {
    if (detail.requestConfig.verb === "post") need("stream");
    else if (target.matches(".older")) need("long");
  });
  document.addEventListener("scroll", ({ target }) => target.id === "scroll" && need("latest"), { capture: true, passive: true });
})();
