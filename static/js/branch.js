// Another branch: the alternative that a person goes to stands where the eye is; what they ask for anew begins at the end.
const isBranch = ({ target, requestConfig }) => target?.id === "messages" && requestConfig?.elt.matches("[data-branch]");
const log = () => document.getElementById("scroll");
let top = 0;

document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (isBranch(detail)) top = detail.requestConfig.elt.getBoundingClientRect().top;
});

document.addEventListener("htmx:afterSwap", ({ detail }) => {
  if (!isBranch(detail)) return;
  const { elt } = detail.requestConfig;
  const again = elt.matches("[data-branch=beside]") && document.getElementById(elt.id);
  // The log's scroll axis starts at its end.
  if (again) log().scrollTop += again.getBoundingClientRect().top - top;
  else {
    log().scrollTop = 0;
    if (!matchMedia("(hover: none) and (pointer: coarse)").matches) document.getElementById("message").focus();
  }
});
