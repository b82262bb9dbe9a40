// The to-do list (`data-tasks`, the address that tells whether it has changed): what is done here, in another tab or by
// a program shows row by row, so that what a person types or points at stays.
(() => {
  const PAUSE = 3_000;
  const PAUSE_MAX = 60_000;
  const BUSY = ".htmx-request, [data-dragged]";
  const list = () => document.getElementById("tasks");
  const parsed = (html) => {
    const template = document.createElement("template");
    template.innerHTML = html;
    return template.content;
  };

  // What the server sent for a row: one that is the same now stays the element it is.
  const sent = new WeakMap();
  const remember = () => {
    for (const row of document.querySelectorAll(".task:not([data-editing])")) sent.set(row, row.outerHTML);
  };

  const arrange = (old, made) => {
    const has = new Map([...old.children].map((row) => [row.id, row]));
    let after = null;
    for (const row of [...made.children]) {
      const html = row.outerHTML;
      let kept = has.get(row.id);
      has.delete(row.id);
      if (!kept) kept = row;
      else if (!kept.matches("[data-editing]") && sent.get(kept) !== html) {
        kept.replaceWith(row);
        kept = row;
      }
      if (kept === row) sent.set(row, html);
      const place = after ? after.nextElementSibling : old.firstElementChild;
      if (place !== kept) old.insertBefore(kept, place);
      if (kept === row) htmx.process(row);
      after = kept;
    }
    // Somebody writes in a row whose task has gone from this list: it stays until they are through.
    for (const row of has.values()) if (!row.matches("[data-editing]")) row.remove();
    old.hidden = !old.children.length;
  };

  // Where the focus goes when its element has gone: to what stood there in its row, else to the row in its place.
  const keepFocus = (change) => {
    const focused = document.activeElement;
    const row = focused?.closest?.(".task");
    const number = row ? [...row.parentNode.children].indexOf(row) : -1;
    const label = focused?.getAttribute?.("aria-label")?.split(" ")[0];
    change();
    if (focused === document.activeElement || number < 0) return;
    if (focused.isConnected) return focused.focus({ preventScroll: true });
    const rows = [...document.querySelectorAll(".task")];
    const next = document.getElementById(row.id) ?? rows[Math.min(number, rows.length - 1)];
    const stays = next?.id === row.id && label && [...next.querySelectorAll("button")];
    const same = stays && stays.find((button) => button.getAttribute("aria-label").startsWith(label));
    (same || next?.querySelector(next.id === row.id ? ".title" : ".check") || document.getElementById("new-title"))?.focus();
  };

  const show = (html) => {
    const made = parsed(html);
    const [old, tasks] = [list(), made.getElementById("tasks")];
    if (!old || !tasks) return;
    keepFocus(() => {
      for (const name of ["data-tasks", "data-key"]) old.setAttribute(name, tasks.getAttribute(name));
      for (const part of [".tabs", ".after"]) {
        const [had, has] = [old, tasks].map((place) => place.querySelector(part));
        if (had.innerHTML !== has.innerHTML) had.replaceChildren(...has.childNodes);
      }
      arrange(old.querySelector(".task-list"), tasks.querySelector(".task-list"));
    });
    for (const count of document.querySelectorAll("#count-tasks")) {
      count.innerHTML = made.getElementById("count-tasks").innerHTML;
    }
    return { said: tasks.dataset.said, undo: made.getElementById("undo") };
  };

  // After what was done here.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { detail } = event;
    const { elt } = detail.requestConfig;
    if (detail.requestConfig.verb === "get" || !document.getElementById("tasks")) return;
    detail.shouldSwap = false;
    if (detail.isError) {
      const html = detail.serverResponse;
      if (!/<html|<body|<!doctype/i.test(html)) htmx.swap("#notice", html, { swapStyle: "innerHTML" });
      return;
    }
    const row = elt.closest("[data-editing]");
    row?.removeAttribute("data-editing");
    const shown = show(detail.serverResponse);
    if (!shown) return location.reload();
    document.getElementById("notice").replaceChildren();
    const undo = document.getElementById("undo");
    undo.replaceChildren(...(shown.undo?.childNodes ?? []));
    htmx.process(undo);
    document.getElementById("said").textContent = shown.said || undo.querySelector("[role=status]")?.textContent || "";
    if (!elt.matches("[data-new-task]")) return;
    elt.reset();
    elt.elements.title.value = "";
    elt.elements.due.value = "";
    elt.elements.key.value = list().dataset.key;
    elt.elements.title.focus();
  });

  // What others did.
  let timer;
  let pause = PAUSE;
  const look = async () => {
    clearTimeout(timer);
    const seen = list()?.dataset.tasks;
    if (!seen) return;
    if (!document.hidden && !document.querySelector(BUSY)) {
      try {
        const answer = await fetch(seen, { headers: { "HX-Request": "true" } });
        if (answer.status === 401) return show401(await answer.text());
        const html = answer.status === 200 && !answer.redirected ? await answer.text() : "";
        pause = answer.ok ? PAUSE : Math.min(pause * 2, PAUSE_MAX);
        // What was done here meanwhile is newer.
        if (html && seen === list()?.dataset.tasks && !document.querySelector(BUSY)) show(html);
      } catch {
        pause = Math.min(pause * 2, PAUSE_MAX);
      }
    }
    clearTimeout(timer);
    // Nobody looks at a hidden tab: coming back looks at once.
    if (!document.hidden) timer = setTimeout(look, pause);
  };
  const show401 = (html) => htmx.swap("#notice", html, { swapStyle: "innerHTML" });
  document.addEventListener("visibilitychange", look);
  addEventListener("focus", look);
  addEventListener("pageshow", ({ persisted }) => persisted && look());

  document.addEventListener("click", (event) => {
    const row = event.target.closest("[data-cancel]")?.closest("[data-editing]");
    if (!row) return;
    event.preventDefault();
    leave(row);
  });
  document.addEventListener("keydown", (event) => {
    const row = event.key === "Escape" && event.target.closest?.("[data-editing]");
    if (row) leave(row);
  });
  const lookAgain = () => {
    const { dataset } = list();
    // Whoever has seen nothing is told everything.
    dataset.tasks = dataset.tasks.replace(/seen=[^&]*/, "seen=");
    look();
  };
  const leave = (row) => {
    row.removeAttribute("data-editing");
    lookAgain();
  };
  // What was not done may show here as if it were: a row that was dragged.
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (!detail.successful && list()) lookAgain();
  });

  remember();
  timer = setTimeout(look, PAUSE);
})();
