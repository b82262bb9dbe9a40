"""What a person can do, each a verb with its transaction."""
