// What to say when the server could not be reached, or answered with something that is no sentence for a person.
(() => {
  const UNREACHABLE = "The server could not be reached. What you typed is still here; try again in a moment.";
  const UNEXPECTED = "Something went wrong on the server. What you typed is still here; try again in a moment.";

  const say = (sentence) => {
    const paragraph = document.createElement("p");
    paragraph.textContent = sentence;
    document.getElementById("notice")?.replaceChildren(paragraph);
  };

  for (const name of ["htmx:sendError", "htmx:timeout", "file:lost"]) {
    document.addEventListener(name, () => say(UNREACHABLE));
  }

  // A proxy's or a debug page is a whole document: it must not land near the composer.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (!event.detail.isError || !/<html|<body|<!doctype/i.test(event.detail.serverResponse)) return;
    event.detail.shouldSwap = false;
    say(UNEXPECTED);
  });
})();
