"""Actions of people: each is a verb with its own transaction."""
