"""The JSON API: the same verbs and the same reply engine as the page, for programs with a bearer token."""
