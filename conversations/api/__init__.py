"""The JSON API: the page's actions and reply engine, for programs with a bearer token."""
