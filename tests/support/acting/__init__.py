"""An app for server processes of tests (`TEST_APPS`), which gives the assistant tools."""
