"""The base of the project, which is independent of its apps."""
