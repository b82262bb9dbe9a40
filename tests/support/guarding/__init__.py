"""An app for server processes of tests (`TEST_APPS`), whose tool needs a permission."""
