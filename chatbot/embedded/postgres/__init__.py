"""Django database backend (`ENGINE = "chatbot.embedded.postgres"`) that brings its own PostgreSQL."""
