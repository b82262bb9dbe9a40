"""What a laptop need not install: PostgreSQL and a small language model, started on first use."""
