"""Settings of the tests: those of the site, untouched by the developer's environment and `.env` file.

A server process of the tests (`TEST_SERVER`) keeps the variables that the test gave it.
"""

import os
from pathlib import Path

OWN = {
    "DATABASE_URL",
    "CSRF_TRUSTED_ORIGINS",
    "SIGNUP_OPEN",
    "EMAIL_URL",
    "DEFAULT_FROM_EMAIL",
    "FORCE_SCRIPT_NAME",
    "FORWARDED_ALLOW_IPS",
    # A make that a test starts is nobody's child, whatever started the tests.
    "MAKEFLAGS",
    "MAKELEVEL",
    "MFLAGS",
}
OWN_PREFIXES = (
    "API_",
    "CHAT_",
    "CORS_",
    "DATABASE_",
    "JWT_",
    "LOG_",
    "METRICS_",
    "OPENAI_",
    "OTEL_",
    "SENTRY_",
    "TASKS_",
)
if "TEST_SERVER" not in os.environ:
    for name in list(os.environ):
        if name in OWN or name.startswith(OWN_PREFIXES):
            del os.environ[name]

VAR_DIR = Path(__file__).resolve().parent.parent / "var" / "tests"
os.environ.setdefault("LOG_FORMAT", "text")
FIXED = {
    "ENV_FILE": os.devnull,
    "DEBUG": "false",
    "HTTPS_ONLY": "false",
    "ALLOWED_HOSTS": "127.0.0.1,localhost,testserver",
    "SECRET_KEY": "a key for tests only, as long as a real one has to be",
    "EMBEDDED_DIR": str(VAR_DIR),
    "TIME_ZONE": os.environ.get("TEST_TIME_ZONE", "UTC"),
}
os.environ |= FIXED | (dict(os.environ) if "TEST_SERVER" in os.environ else {})
if url := os.environ.get("TEST_DATABASE_URL"):
    os.environ["DATABASE_URL"] = url

from accounts import outbox  # noqa: E402 (the environment comes first)
from chatbot.settings import *  # noqa: E402, F403
from chatbot.settings import DATABASES, STORAGES  # noqa: E402
from chatbot.settings import INSTALLED_APPS as APPS  # noqa: E402
from chatbot.web import pulse  # noqa: E402

# What tests write need not survive a power cut. Workers and their servers, each with a pool of its own, share it.
EMBEDDED_POSTGRES_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "300",
}
DATABASES["default"]["NAME"] = os.environ.get("TEST_DATABASE_NAME", DATABASES["default"]["NAME"])
DATABASES["default"]["OPTIONS"]["pool"] |= {"min_size": 0, "max_size": 8}
# What only a test's server processes have.
INSTALLED_APPS = [*APPS, *os.environ.get("TEST_APPS", "").split()]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"]["BACKEND"] = "chatbot.core.paths.PlainFiles"
SERVESTATIC_USE_FINDERS = True
SERVESTATIC_AUTOREFRESH = True

# A machine that is busy is no database that is away. What a test of one that is away or mute starts is as impatient as
# the site is.
if "TEST_IMPATIENT" not in os.environ:
    pulse.ANSWER = pulse.SOON = 30.0
    DATABASES["default"]["OPTIONS"] |= {"connect_timeout": 30}
    DATABASES["default"]["OPTIONS"]["pool"] |= {"timeout": 30}
if seconds := os.environ.get("TEST_MAIL_SECONDS"):
    outbox.END_SECONDS = float(seconds)
