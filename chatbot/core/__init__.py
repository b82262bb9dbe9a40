"""The ground of the project: it knows no app."""
