"""What the pages show: the contexts of their templates."""
