// A thought that somebody has opened stays open when its reply is swapped for its next form: whole again, or ended.
(() => {
  const isOpen = (article) => article?.querySelector("details.thought")?.open;
  let opened = null;

  document.addEventListener("htmx:sseBeforeMessage", (event) => {
    const article = event.target.closest("article");
    opened = isOpen(article) ? article.id : null;
  });

  document.addEventListener("htmx:load", (event) => {
    const article = event.target.closest("article");
    if (!opened || article?.id !== opened) return;
    opened = null;
    const thought = article.querySelector("details.thought");
    if (thought) thought.open = true;
  });
})();
