// A row of the to-do list is dragged by its grip (`data-grip`, the address that moves it); Escape puts it back.
(() => {
  const EDGE = 48;
  const STEP = 12;
  let drag = null;

  const rows = () => [...drag.list.children];
  const follow = () => {
    if (!drag) return;
    const { row, y, scroll } = drag;
    const frame = scroll.getBoundingClientRect();
    if (y < frame.top + EDGE) scroll.scrollTop -= STEP;
    else if (y > frame.bottom - EDGE) scroll.scrollTop += STEP;
    // A row changes places with the one whose middle the pointer has passed.
    const middle = (other) => {
      const box = other.getBoundingClientRect();
      return box.top + box.height / 2;
    };
    const all = rows();
    const here = all.indexOf(row);
    const above = all.slice(0, here).find((other) => y < middle(other));
    const below = all.slice(here + 1).findLast((other) => y > middle(other));
    if (above) above.before(row);
    else if (below) below.after(row);
    drag.frame = requestAnimationFrame(follow);
  };

  const end = (keeps) => {
    const { row, grip, next, frame } = drag;
    cancelAnimationFrame(frame);
    row.removeAttribute("data-dragged");
    drag.list.removeAttribute("data-dragging");
    const [before, after] = [row.nextElementSibling, row.previousElementSibling];
    const moved = before !== next;
    if (!keeps) drag.list.insertBefore(row, next);
    drag = null;
    if (!keeps || !moved) return;
    const key = (other) => other.id.slice(2);
    const place = before ? { before: key(before) } : { after: key(after) };
    const here = document.querySelector("#act [name=next]").value;
    const values = { ...place, next: here };
    // What fails is told by htmx's events.
    htmx.ajax("POST", grip.dataset.grip, { source: row, target: "#tasks", swap: "none", values }).catch(() => {});
  };

  document.addEventListener("pointerdown", (event) => {
    const grip = event.target.closest?.("[data-grip]");
    if (!grip || event.button || drag) return;
    event.preventDefault();
    const row = grip.closest("li");
    const list = row.parentNode;
    drag = { row, grip, list, next: row.nextElementSibling, y: event.clientY, scroll: list.closest(".column") };
    row.setAttribute("data-dragged", "");
    list.setAttribute("data-dragging", "");
    drag.frame = requestAnimationFrame(follow);
  });
  document.addEventListener("pointermove", ({ clientY }) => drag && (drag.y = clientY));
  document.addEventListener("pointerup", () => drag && end(true));
  document.addEventListener("pointercancel", () => drag && end(false));
  document.addEventListener("keydown", ({ key }) => drag && key === "Escape" && end(false));
})();
