"""Views of the pages: each one finds, acts, and answers."""
