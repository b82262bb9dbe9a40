// What another tab did since the last message that was seen here (`data-seen`) shows when somebody looks at this one,
// unless they are about something here.
(() => {
  const BUSY = "[data-stream], [data-edit], .again, .feedback [open], .htmx-request, #notice [formaction]";
  const last = () => document.querySelector("[data-seen]")?.value;
  let asking = false;

  const catchUp = async () => {
    const seen = last();
    const log = document.getElementById("scroll");
    if (asking || document.hidden || !seen || !log || document.querySelector(BUSY)) return;
    asking = true;
    try {
      const { action } = document.querySelector("[data-composer]");
      const answer = await fetch(`${action}?seen=${seen}`, { headers: { "HX-Request": "true" } });
      const html = await answer.text();
      if (answer.redirected || seen !== last() || document.querySelector(BUSY)) return;
      if (answer.status === 404) htmx.swap("#notice", html, { swapStyle: "innerHTML" });
      if (answer.status !== 200) return;
      document.dispatchEvent(new Event("seen:news"));
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
