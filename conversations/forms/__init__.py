"""Forms that check what a person types."""
