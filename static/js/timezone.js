// Tells the server the person's time zone, so that "Today" and the hours are theirs. Asked anew each day, for travellers.
document.cookie = `timezone=${Intl.DateTimeFormat().resolvedOptions().timeZone}; path=/; max-age=86400; SameSite=Lax`;
