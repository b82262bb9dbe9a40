// Times in words (`data-ago`) stay right while the page is open; the server has written the same words.
(() => {
  const MINUTE = 60_000;
  const HOUR = 60 * MINUTE;
  const DAY = 24 * HOUR;

  const words = (past) => {
    if (past < MINUTE) return "just now";
    if (past < HOUR) return `${Math.floor(past / MINUTE)} min ago`;
    if (past < DAY) return `${Math.floor(past / HOUR)} h ago`;
    const days = Math.floor(past / DAY);
    return days === 1 ? "1 day ago" : `${days} days ago`;
  };

  const tell = () => {
    for (const time of document.querySelectorAll("time[data-ago]")) {
      const past = Date.now() - Date.parse(time.dateTime);
      // From a week on it is a day, which stays right.
      if (past < 7 * DAY && time.textContent !== words(past)) time.textContent = words(past);
    }
  };

  setInterval(tell, MINUTE / 2);
  // A page that was in the background, or comes back from the browser's memory, is late.
  document.addEventListener("visibilitychange", tell);
  addEventListener("pageshow", tell);
})();
