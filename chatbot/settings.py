"""Settings of the chat. Values that differ between installations come from the environment: see .env.example."""

import os
from pathlib import Path
from typing import Any

from django.utils.csp import CSP

from chatbot.core.database import PromptConnection, check_connection, note_away
from chatbot.core.environment import NOWHERE, Environment
from chatbot.telemetry.logs import TALKATIVE

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment(Path(os.environ.get("ENV_FILE", BASE_DIR / ".env")))

# --- The installation -------------------------------------------------------------------------------------------------

DEBUG = env.flag("DEBUG", default=False)
SECRET_KEY = env.required(
    "SECRET_KEY",
    "Set it to at least 50 random characters, or run `make run`, which writes a .env file for this computer.",
)
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]" if DEBUG else "")
if not DEBUG:
    env.required("ALLOWED_HOSTS", "Name the hosts that this site answers to, such as chat.example.org.")
FORCE_SCRIPT_NAME = env.path("FORCE_SCRIPT_NAME") or None
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")

EMBEDDED_DIR = Path(env.text("EMBEDDED_DIR") or BASE_DIR / "var")
"""Folder with the files of the embedded PostgreSQL and the local model."""

WEB_THREADS = env.integer("WEB_THREADS", 4, least=1)
"""Requests that one process works on at the same time, not counting open streams."""

ROOT_URLCONF = "chatbot.urls"
# What the sidebar of every page shows.
SIDEBAR = "conversations.pages.lists.sidebar_context"
# The entries that other apps have in it.
SIDEBAR_PLACES = ["tasks.sidebar.place"]
ASGI_APPLICATION = "chatbot.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "accounts",
    "tools",
    "conversations",
    "tasks",
    "allauth",
    "allauth.account",
    "corsheaders",
    "django_htmx",
    "servestatic",
    "chatbot.apps.Administration",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "chatbot.web.cors.CORSMiddleware",
    "chatbot.web.middleware.CompressionMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "chatbot.web.middleware.HostMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "chatbot.web.middleware.PersonMiddleware",
    "chatbot.web.middleware.SignedInMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "chatbot.web.middleware.timezone_middleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "accounts.mail_pages.MailMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["chatbot.web.tags"],
            "libraries": {"hot": "chatbot.web.hot_tags"},
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "chatbot.core.preferences.preferences",
            ],
        },
    },
]

# --- Data -------------------------------------------------------------------------------------------------------------

DATABASES: dict[str, dict[str, Any]] = {
    "default": env.database("DATABASE_URL") or {"ENGINE": "chatbot.embedded.postgres", "NAME": "chatbot"}
}
if password := env.text("DATABASE_PASSWORD"):
    DATABASES["default"]["PASSWORD"] = password
DATABASES["default"] |= {
    # A pool shared by the process's threads; a connection returns after each request and each read of a stream.
    "CONN_MAX_AGE": 0,
    "OPTIONS": {
        # A silent server is given up after seconds, instead of the system's quarter of an hour.
        "connect_timeout": 3,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
        **DATABASES["default"].get("OPTIONS", {}),
        "pool": {
            "connection_class": PromptConnection,
            "min_size": 2,
            "max_size": env.integer("DATABASE_POOL_SIZE", 16, least=2),
            # Seconds that a request waits for a database that is away, and seconds of attempts to connect, at growing
            # intervals, before the next request starts a new one.
            "timeout": 5,
            "reconnect_timeout": 2,
            "check": check_connection,
            "reconnect_failed": note_away,
        },
    },
}
# Rate limits hold over all processes, so their counters are in a cache in the database.
CACHES = {
    "default": {
        "BACKEND": "chatbot.core.cache.CountingCache",
        "LOCATION": "accounts_cache",
        # With fewer entries, many attempts would displace the counters of earlier ones.
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}

USE_TZ = True
TIME_ZONE = env.zone("TIME_ZONE", "UTC")
"""Time zone of the site's days and months; pages show times in the reader's zone."""

LANGUAGE_CODE = "en"

# --- Accounts ---------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backends.AccountBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
SIGNUP_OPEN = env.flag("SIGNUP_OPEN", default=True)
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "conversation-new"
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = "Chatbot: "
# A further address could belong to another person: a new address replaces the old one, once its owner has followed a
# link.
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 10 * 60
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_METHODS = {"password"}
ACCOUNT_FORMS = {
    "signup": "accounts.forms.SignUpForm",
    "add_email": "accounts.forms.ChangeAddressForm",
    "reset_password": "accounts.forms.ResetForm",
    "request_login_code": "accounts.forms.RequestCodeForm",
}
# Wrong passwords: from one network; from one network for one account; and, much later, from anywhere for one account,
# which then needs a mail to sign in. Programs have separate counts, so they cannot lock people out of the page.
ACCOUNT_RATE_LIMITS = {
    **dict.fromkeys(("login_failed", "token_failed"), "10/m/ip,5/5m/key"),
    **{f"{name}_anywhere": "100/h/key" for name in ("login_failed", "token_failed")},
    # Mail that another person may have requested.
    "reset_password": "20/m/ip,5/15m/key",
    "request_login_code": "20/m/ip,5/15m/key",
}

MAILERS = {"default": env.mailer("EMAIL_URL", console=DEBUG)}
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "chatbot@localhost")

VERIFY_EMAIL = env.flag("VERIFY_EMAIL", default=not DEBUG) and MAILERS["default"]["BACKEND"] != NOWHERE
"""Whether an address must be verified before its person signs in for the first time, makes tokens or imports."""
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if VERIFY_EMAIL else "none"

# --- The chat ---------------------------------------------------------------------------------------------------------

OPENAI_API_KEY = env.text("OPENAI_API_KEY")
OPENAI_BASE_URL = env.url("OPENAI_BASE_URL")
CHAT_MODELS = env.words("CHAT_MODELS")
CHAT_SYSTEM_PROMPT = env.text("CHAT_SYSTEM_PROMPT", "You are a helpful assistant. Answer briefly and clearly.")
CHAT_MESSAGE_MAX_CHARS = env.integer("CHAT_MESSAGE_MAX_CHARS", 10_000, least=1, most=1_000_000)
CHAT_INSTRUCTIONS_MAX_CHARS = env.integer("CHAT_INSTRUCTIONS_MAX_CHARS", 4_000, least=1, most=1_000_000)
API_MESSAGE_MAX_CHARS = env.integer("API_MESSAGE_MAX_CHARS", 100_000, least=1, most=1_000_000)
# Room for the longest message and instructions, each character percent-encoded or a JSON escape, and other fields.
DATA_UPLOAD_MAX_MEMORY_SIZE = max(
    2_621_440,
    12 * (max(CHAT_MESSAGE_MAX_CHARS, API_MESSAGE_MAX_CHARS) + CHAT_INSTRUCTIONS_MAX_CHARS) + 65_536,
)
CHAT_IMPORT_MAX_BYTES = env.integer("CHAT_IMPORT_MAX_BYTES", 200_000_000, least=100_000, most=2**40)
CHAT_TURNS_PER_MINUTE = env.integer("CHAT_TURNS_PER_MINUTE", 60, least=1)
CHAT_REPLIES_PER_USER = env.integer("CHAT_REPLIES_PER_USER", 10, least=1)
CHAT_STREAMS_PER_USER = env.integer("CHAT_STREAMS_PER_USER", 20, least=1)
CHAT_REPLY_MAX_CHARS = env.integer("CHAT_REPLY_MAX_CHARS", 2_000_000, least=1_000)
CHAT_REPLIES_PER_PROCESS = env.integer("CHAT_REPLIES_PER_PROCESS", 1_000, least=1)
# The local demo model sees 4,096 tokens.
CHAT_CONTEXT_TOKENS = env.integer(
    "CHAT_CONTEXT_TOKENS", 32_000 if OPENAI_API_KEY or OPENAI_BASE_URL else 4_096, least=512
)
CHAT_TIMEOUT_CONNECT = env.seconds("CHAT_TIMEOUT_CONNECT", 10)
CHAT_TIMEOUT_FIRST_TOKEN = env.seconds("CHAT_TIMEOUT_FIRST_TOKEN", 120)
CHAT_TIMEOUT_SILENCE = env.seconds("CHAT_TIMEOUT_SILENCE", 60)
CHAT_RETRIES = env.integer("CHAT_RETRIES", 2, least=0, most=10)
CHAT_SHUTDOWN_GRACE = env.seconds("CHAT_SHUTDOWN_GRACE", 1 if DEBUG else 15, least=0)
CHAT_TRASH_DAYS = env.integer("CHAT_TRASH_DAYS", 30, least=1, most=36_500)
# 0: conversations are kept for ever, unless a prune has an age of its own.
CHAT_RETENTION_DAYS = env.integer("CHAT_RETENTION_DAYS", 0, least=0, most=36_500)
CHAT_RETRY_MAX_WAIT = env.seconds("CHAT_RETRY_MAX_WAIT", 20, least=0)

CHAT_TOOLS = env.flag("CHAT_TOOLS", default=True)
CHAT_TOOL_SECONDS = env.seconds("CHAT_TOOL_SECONDS", 60, most=3_600)
CHAT_TOOL_THREADS = env.integer("CHAT_TOOL_THREADS", 8, least=1, most=1_000)
CHAT_TOOL_ROUNDS = env.integer("CHAT_TOOL_ROUNDS", 10, least=1, most=1_000)
CHAT_TOOL_CALLS = env.integer("CHAT_TOOL_CALLS", 5, least=1, most=100)
CHAT_TOOL_REPEATS = env.integer("CHAT_TOOL_REPEATS", 4, least=2, most=1_000)
CHAT_APPROVAL_HOURS = env.integer("CHAT_APPROVAL_HOURS", 24, least=1, most=8_760)
CHAT_TOOL_RESULT_TOKENS = env.integer("CHAT_TOOL_RESULT_TOKENS", 20_000, least=200, most=10_000_000)
# --- The to-do list ---------------------------------------------------------------------------------------------------

TASKS_PER_USER = env.integer("TASKS_PER_USER", 1_000, least=1, most=10_000)
# Functions that give the rows of other apps that `prune_conversations` removes too, of one person or of everybody.
PRUNED_TOO = {"tasks": "tasks.upkeep.expired"}

# --- The JSON API -----------------------------------------------------------------------------------------------------

JWT_SECRET = env.text("JWT_SECRET")
JWT_JWKS_URL = env.url("JWT_JWKS_URL")
JWT_ISSUER = env.text("JWT_ISSUER")
JWT_AUDIENCE = env.text("JWT_AUDIENCE")
JWT_USER_CLAIM = env.text("JWT_USER_CLAIM", "sub")
API_REQUESTS_PER_MINUTE = env.integer("API_REQUESTS_PER_MINUTE", 300, least=1)
# Origins whose pages may use the API in browsers; none by default.
CORS_ALLOWED_ORIGINS = env.words("CORS_ALLOWED_ORIGINS")
CORS_URLS_REGEX = r"^/(api|v1)/"
# Headers of OpenAI's clients besides `X-Stainless-…`, which chatbot/web/cors.py allows.
CORS_ALLOW_HEADERS = ["accept", "authorization", "content-type", "idempotency-key", "last-event-id", "x-conversation"]
CORS_ALLOW_HEADERS += ["openai-beta", "openai-organization", "openai-project", "user-agent"]
CORS_ALLOW_HEADERS += ["x-client-request-id", "x-request-id", "x-tools"]
CORS_EXPOSE_HEADERS = ["link", "location", "retry-after", "x-conversation", "x-request-id", "x-should-retry"]
CORS_EXPOSE_HEADERS += ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "retry-after-ms"]
CORS_EXPOSE_HEADERS += [
    f"x-ratelimit-{part}-{unit}" for part in ("limit", "remaining", "reset") for unit in ("requests", "tokens")
]

# --- Static files -----------------------------------------------------------------------------------------------------

STATIC_URL = f"{FORCE_SCRIPT_NAME or ''}/static/"
STATIC_ROOT = BASE_DIR / "var" / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Other sites may not use them: see `hardening.FILE_HEADERS`.
SERVESTATIC_ALLOW_ALL_ORIGINS = False
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "chatbot.core.paths.PlainFiles" if DEBUG else "chatbot.core.paths.HashedFiles"},
}

# --- Security ---------------------------------------------------------------------------------------------------------

HTTPS_ONLY = env.flag("HTTPS_ONLY", default=not DEBUG)
"""Whether people reach the site over HTTPS: secure cookies, redirects from HTTP, and HSTS."""

FORWARDED_ALLOW_IPS = env.networks("FORWARDED_ALLOW_IPS")
"""Proxies whose headers about a request's client and scheme are trusted."""

SECURE_SSL_REDIRECT = HTTPS_ONLY
# The last one tells the doctor why all other requests are redirected.
SECURE_REDIRECT_EXEMPT = [r"(^|/)healthz$", r"(^|/)readyz$", r"(^|/)probe$"]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS_ONLY else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS_ONLY
SECURE_HSTS_PRELOAD = HTTPS_ONLY
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS_ONLY
SESSION_ENGINE = "accounts.sessions"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "chatbot.web.error_pages.csrf_failure"
SECURE_CSP = {
    "default-src": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "object-src": [CSP.NONE],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
}

SECURITY_CONTACT = env.contacts("SECURITY_CONTACT")
"""Contacts for reports of vulnerabilities, in `/.well-known/security.txt`."""

# --- Watching ---------------------------------------------------------------------------------------------------------

METRICS_TOKEN = env.secret("METRICS_TOKEN", least=16)
"""Token with which Prometheus reads `/metrics`; without one the page is off."""

OTEL_EXPORTER_OTLP_ENDPOINT = env.url("OTEL_EXPORTER_OTLP_ENDPOINT")
OTEL_SERVICE_NAME = env.text("OTEL_SERVICE_NAME", "chatbot")
SENTRY_DSN = env.url("SENTRY_DSN")
SENTRY_ENVIRONMENT = env.text("SENTRY_ENVIRONMENT", "production")
SENTRY_RELEASE = env.text("SENTRY_RELEASE")

# --- Logs: never a message's text -------------------------------------------------------------------------------------

LOG_FORMAT = env.choice("LOG_FORMAT", "text" if DEBUG else "json", among=("json", "text"))
LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", among=("DEBUG", "INFO", "WARNING", "ERROR"))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        # In debug, exceptions keep their words, as on Django's own page.
        "json": {"()": "chatbot.telemetry.logs.JSONFormatter", "frank": DEBUG},
        "text": {"()": "chatbot.telemetry.logs.TextFormatter", "frank": DEBUG},
    },
    "filters": {"discretion": {"()": "chatbot.telemetry.logs.Discretion"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["discretion"]},
    },
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        # These handlers would bypass the root's; uvicorn's access lines contain search terms.
        **{name: {"handlers": [], "propagate": True} for name in ("django", "uvicorn", "uvicorn.error")},
        "uvicorn.access": {"handlers": [], "propagate": False},
        # A line per request is for machines only.
        "chatbot.access": {"level": "NOTSET" if LOG_FORMAT == "json" else "WARNING"},
        # Avoids creating records that are dropped; the clients log each request's address at INFO.
        **dict.fromkeys(TALKATIVE, {"level": "WARNING"}),
    },
}
