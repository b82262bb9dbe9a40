// The person's time zone, so that "Today" and the hours are theirs. Told anew each day, for travellers.
if (!/(^|; )timezone=/.test(document.cookie)) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  document.cookie = `timezone=${zone}; path=/; max-age=86400; SameSite=Lax`;
}
