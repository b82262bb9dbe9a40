// The line above the composer (`data-connection`) says that the browser is offline, or a reply's stream is lost.
(() => {
  const PATIENCE = 3_000;
  const OFFLINE = "You are offline. What you type stays here.";
  const LOST = "Reconnecting…";
  let waiting = 0;

  const tell = () => {
    const place = document.querySelector("[data-connection]");
    const words = !navigator.onLine ? OFFLINE : waiting < 0 && document.querySelector("[data-lost]") ? LOST : "";
    if (place && place.textContent !== words) place.textContent = words;
  };

  // A short break mends itself unseen.
  document.addEventListener("stream:lost", () => {
    if (waiting > 0) return;
    waiting = setTimeout(() => {
      waiting = -1;
      tell();
    }, PATIENCE);
  });
  const back = () => {
    if (!document.querySelector("[data-lost]")) {
      clearTimeout(waiting);
      waiting = 0;
    }
    tell();
  };
  for (const name of ["stream:back", "htmx:load", "htmx:afterSettle"]) document.addEventListener(name, back);
  for (const name of ["online", "offline"]) addEventListener(name, tell);
})();
