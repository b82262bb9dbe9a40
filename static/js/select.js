// Selecting several entries of a list: all at once, or a range with Shift.
(() => {
  const boxes = (form) => [...form.querySelectorAll("input[name=ids]")];
  let last = null;

  document.addEventListener("click", (event) => {
    const box = event.target;
    const form = box.closest?.("[data-select]");
    if (!form || box.type !== "checkbox") return;
    const all = boxes(form);
    const control = form.querySelector("[data-select-all]");
    if (box === control) {
      for (const one of all) one.checked = control.checked;
    } else {
      if (event.shiftKey && all.includes(last)) {
        const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
        for (const one of all.slice(from, to + 1)) one.checked = box.checked;
      }
      last = box;
    }
    const count = all.filter((one) => one.checked).length;
    control.checked = count === all.length;
    control.indeterminate = count > 0 && count < all.length;
  });
})();
