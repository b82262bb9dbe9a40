"""Services that need no installation: PostgreSQL and a small language model, started on first use."""
