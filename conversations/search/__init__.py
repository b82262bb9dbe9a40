"""Search in conversations: one person's for themselves, everybody's for staff."""
