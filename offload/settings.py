"""Every setting of Offload, typed, read once from the environment; must not decide anything at run time.

docs/settings.md has the same settings as a table for operators; a test holds the two together.
"""

from decimal import Decimal
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from environs import Env, EnvError

from offload.checks import Settings, list_faults
from offload.logs import build_logging

BASE_DIR = Path(__file__).resolve().parent.parent

# Not eager: every wrong value is told at once.
env = Env(eager=False)

try:
    # -- What kind of run this is
    OFFLOAD_MODE: str = env.str("OFFLOAD_MODE", "production")
    DEBUG: bool = env.bool("OFFLOAD_DEBUG", False)
    SECRET_KEY: str = env.str("OFFLOAD_SECRET_KEY", "")
    SECRET_KEY_FALLBACKS: list[str] = env.list("OFFLOAD_SECRET_KEY_FALLBACKS", [])
    ALLOWED_HOSTS: list[str] = env.list("OFFLOAD_ALLOWED_HOSTS", ["localhost", "127.0.0.1"])
    CSRF_TRUSTED_ORIGINS: list[str] = env.list("OFFLOAD_CSRF_TRUSTED_ORIGINS", [])
    OFFLOAD_PUBLIC_URL: str = env.str("OFFLOAD_PUBLIC_URL", "")
    OFFLOAD_INSTALL_ID: str = env.str("OFFLOAD_INSTALL_ID", "main")
    OFFLOAD_LOG_LEVEL: str = env.str("OFFLOAD_LOG_LEVEL", "INFO")
    OFFLOAD_LOG_FORMAT: str = env.str("OFFLOAD_LOG_FORMAT", "line" if OFFLOAD_MODE == "local" else "json")
    OFFLOAD_LOG_REQUESTS: bool = env.bool("OFFLOAD_LOG_REQUESTS", False)

    # -- The API's limits
    OFFLOAD_RATE_LIMIT_PER_KEY: int = env.int("OFFLOAD_RATE_LIMIT_PER_KEY", 1200)
    OFFLOAD_RATE_LIMIT_PER_IP: int = env.int("OFFLOAD_RATE_LIMIT_PER_IP", 60)
    OFFLOAD_TRUSTED_PROXIES: int = env.int("OFFLOAD_TRUSTED_PROXIES", 0)

    # -- Signing in to the admin
    OFFLOAD_REQUIRE_TWO_STEP: bool = env.bool("OFFLOAD_REQUIRE_TWO_STEP", False)

    # -- Database and queue
    DATABASE_URL: str = env.str("DATABASE_URL", "")
    DATABASE: dict[str, Any] = env.dj_db_url("DATABASE_URL", "postgres://offload@127.0.0.1:5432/offload")
    OFFLOAD_DB_POOL_SIZE: int = env.int("OFFLOAD_DB_POOL_SIZE", 0)
    OFFLOAD_QUEUE: str = env.str("OFFLOAD_QUEUE", "offload-tasks")
    OFFLOAD_QUEUE_URL: str = env.str("OFFLOAD_QUEUE_URL", "")
    OFFLOAD_QUEUE_REGION: str = env.str("OFFLOAD_QUEUE_REGION", "us-east-1")
    OFFLOAD_QUEUE_VISIBILITY_SECONDS: int = env.int("OFFLOAD_QUEUE_VISIBILITY_SECONDS", 120)

    # -- The event ledger
    OFFLOAD_LEASE_SECONDS: float = env.float("OFFLOAD_LEASE_SECONDS", 45)
    OFFLOAD_HEARTBEAT_SECONDS: float = env.float("OFFLOAD_HEARTBEAT_SECONDS", 15)
    OFFLOAD_EVENT_DEADLINE_SECONDS: float = env.float("OFFLOAD_EVENT_DEADLINE_SECONDS", 300)
    OFFLOAD_MAX_FAILURES: int = env.int("OFFLOAD_MAX_FAILURES", 5)
    OFFLOAD_SWEEP_SECONDS: int = env.int("OFFLOAD_SWEEP_SECONDS", 10)
    OFFLOAD_FOLLOW_UP_SWEEP_SECONDS: int = env.int("OFFLOAD_FOLLOW_UP_SWEEP_SECONDS", 3600)
    OFFLOAD_RECONCILE_SECONDS: int = env.int("OFFLOAD_RECONCILE_SECONDS", 600)

    # -- Mail
    AGENTMAIL_API_KEY: str = env.str("AGENTMAIL_API_KEY", "")
    AGENTMAIL_BASE_URL: str = env.str("AGENTMAIL_BASE_URL", "https://api.agentmail.to/v0")
    AGENTMAIL_INBOX_ID: str = env.str("AGENTMAIL_INBOX_ID", "")
    AGENTMAIL_WEBHOOK_SECRETS: list[str] = env.list("AGENTMAIL_WEBHOOK_SECRETS", [])

    # -- The mind
    OFFLOAD_MODEL: str = env.str("OFFLOAD_MODEL", "offline")
    OFFLOAD_MODEL_API_KEY: str = env.str("OFFLOAD_MODEL_API_KEY", "")
    OFFLOAD_MODEL_BASE_URL: str = env.str("OFFLOAD_MODEL_BASE_URL", "")
    OFFLOAD_FALLBACK_MODEL: str = env.str("OFFLOAD_FALLBACK_MODEL", "")
    OFFLOAD_FALLBACK_MODEL_API_KEY: str = env.str("OFFLOAD_FALLBACK_MODEL_API_KEY", "")
    OFFLOAD_FALLBACK_MODEL_BASE_URL: str = env.str("OFFLOAD_FALLBACK_MODEL_BASE_URL", "")
    OFFLOAD_MODEL_DEADLINE_SECONDS: float = env.float("OFFLOAD_MODEL_DEADLINE_SECONDS", 120)
    OFFLOAD_MODEL_MAX_ANSWER_TOKENS: int = env.int("OFFLOAD_MODEL_MAX_ANSWER_TOKENS", 4_000)
    OFFLOAD_MODEL_MAX_CALL_TOKENS: int = env.int("OFFLOAD_MODEL_MAX_CALL_TOKENS", 200_000)
    OFFLOAD_MODEL_MAX_CALL_COST_USD: Decimal = env.decimal("OFFLOAD_MODEL_MAX_CALL_COST_USD", Decimal(1))
    OFFLOAD_MODEL_MAX_CASE_TOKENS: int = env.int("OFFLOAD_MODEL_MAX_CASE_TOKENS", 2_000_000)
    OFFLOAD_MODEL_MAX_CASE_COST_USD: Decimal = env.decimal("OFFLOAD_MODEL_MAX_CASE_COST_USD", Decimal(5))
    OFFLOAD_MODEL_MAX_CLIENT_DAY_TOKENS: int = env.int("OFFLOAD_MODEL_MAX_CLIENT_DAY_TOKENS", 0)
    OFFLOAD_MODEL_MAX_CLIENT_DAY_COST_USD: Decimal = env.decimal("OFFLOAD_MODEL_MAX_CLIENT_DAY_COST_USD", Decimal(100))

    # -- For machines that watch
    OFFLOAD_METRICS_TOKEN: str = env.str("OFFLOAD_METRICS_TOKEN", "")

    # -- Client webhooks
    OFFLOAD_WEBHOOK_ALLOW_PRIVATE: bool = env.bool("OFFLOAD_WEBHOOK_ALLOW_PRIVATE", False)

    # -- The sandbox
    OFFLOAD_SANDBOX: bool = env.bool("OFFLOAD_SANDBOX", False)
    OFFLOAD_SANDBOX_URL: str = env.str("OFFLOAD_SANDBOX_URL", "http://127.0.0.1:8001")
    OFFLOAD_SANDBOX_WEBHOOK_URL: str = env.str("OFFLOAD_SANDBOX_WEBHOOK_URL", "http://127.0.0.1:8000/agentmail/webhook")
    env.seal()
except EnvError as error:
    raise ImproperlyConfigured(str(error)) from None

faults = list_faults(
    Settings(
        mode=OFFLOAD_MODE,
        secret_key=SECRET_KEY,
        debug=DEBUG,
        log_level=OFFLOAD_LOG_LEVEL,
        log_format=OFFLOAD_LOG_FORMAT,
        public_url=OFFLOAD_PUBLIC_URL,
        install_id=OFFLOAD_INSTALL_ID,
        rate_limit_per_key=OFFLOAD_RATE_LIMIT_PER_KEY,
        rate_limit_per_ip=OFFLOAD_RATE_LIMIT_PER_IP,
        trusted_proxies=OFFLOAD_TRUSTED_PROXIES,
        database_url=DATABASE_URL,
        lease_seconds=OFFLOAD_LEASE_SECONDS,
        heartbeat_seconds=OFFLOAD_HEARTBEAT_SECONDS,
        deadline_seconds=OFFLOAD_EVENT_DEADLINE_SECONDS,
        sweep_seconds=OFFLOAD_SWEEP_SECONDS,
        follow_up_sweep_seconds=OFFLOAD_FOLLOW_UP_SWEEP_SECONDS,
        reconcile_seconds=OFFLOAD_RECONCILE_SECONDS,
        visibility_seconds=OFFLOAD_QUEUE_VISIBILITY_SECONDS,
        max_failures=OFFLOAD_MAX_FAILURES,
        model=OFFLOAD_MODEL,
        fallback_model=OFFLOAD_FALLBACK_MODEL,
        model_deadline_seconds=OFFLOAD_MODEL_DEADLINE_SECONDS,
        model_max_answer_tokens=OFFLOAD_MODEL_MAX_ANSWER_TOKENS,
        model_caps={
            "OFFLOAD_MODEL_MAX_CALL_TOKENS": OFFLOAD_MODEL_MAX_CALL_TOKENS,
            "OFFLOAD_MODEL_MAX_CALL_COST_USD": OFFLOAD_MODEL_MAX_CALL_COST_USD,
            "OFFLOAD_MODEL_MAX_CASE_TOKENS": OFFLOAD_MODEL_MAX_CASE_TOKENS,
            "OFFLOAD_MODEL_MAX_CASE_COST_USD": OFFLOAD_MODEL_MAX_CASE_COST_USD,
            "OFFLOAD_MODEL_MAX_CLIENT_DAY_TOKENS": OFFLOAD_MODEL_MAX_CLIENT_DAY_TOKENS,
            "OFFLOAD_MODEL_MAX_CLIENT_DAY_COST_USD": OFFLOAD_MODEL_MAX_CLIENT_DAY_COST_USD,
        },
        agentmail_base_url=AGENTMAIL_BASE_URL,
        agentmail_api_key=AGENTMAIL_API_KEY,
        agentmail_inbox_id=AGENTMAIL_INBOX_ID,
        agentmail_webhook_secrets=tuple(AGENTMAIL_WEBHOOK_SECRETS),
        metrics_token=OFFLOAD_METRICS_TOKEN,
        webhook_allow_private=OFFLOAD_WEBHOOK_ALLOW_PRIVATE,
        sandbox=OFFLOAD_SANDBOX,
        sandbox_url=OFFLOAD_SANDBOX_URL,
    )
)
if faults:
    raise ImproperlyConfigured("\n  - ".join(["the settings are not safe to run with:", *faults]))

INSTALLED_APPS = [
    # For its commands and the pulses of its processes.
    "offload",
    # Before the admin's own app: the templates of ours that share a name with its templates win.
    "cases",
    "offload.admin_site.OffloadAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "csp",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "agentmail",
    "webhooks",
]
if OFFLOAD_SANDBOX:
    INSTALLED_APPS += ["agentmail.sandbox", "webhooks.receiver"]

MIDDLEWARE = [
    "offload.tracing.TracingMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "offload.pages.PagePolicyMiddleware",
    "offload.pages.PageSessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "offload.pages.PageUserMiddleware",
    "offload.pages.PageMessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "offload.urls"
WSGI_APPLICATION = "offload.wsgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES: dict[str, dict[str, Any]] = {
    "default": DATABASE
    | {
        "ENGINE": "offload.database",
        "CONN_HEALTH_CHECKS": True,
        # A new connection for every request costs four fifths of the request rate.
        "CONN_MAX_AGE": 0 if OFFLOAD_DB_POOL_SIZE else 600,
    }
}
# Nothing else bounds a connection to a host that answers nothing.
DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)
if OFFLOAD_DB_POOL_SIZE:
    # Worker threads outnumber the connections that are worth holding.
    DATABASES["default"]["OPTIONS"]["pool"] = {"min_size": 1, "max_size": OFFLOAD_DB_POOL_SIZE, "timeout": 10}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
# The name that an authenticator app shows beside the code.
OTP_TOTP_ISSUER = "Offload"

LANGUAGE_CODE = "en"
FORMAT_MODULE_PATH = ["offload.formats"]
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "var" / "static"

SESSION_COOKIE_AGE = 8 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = OFFLOAD_MODE == "production"
CSRF_COOKIE_SECURE = OFFLOAD_MODE == "production"
CSRF_FAILURE_VIEW = "cases.api.errors.answer_csrf_failure"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"
# The proxy in front holds the certificate: it redirects to https and sends Strict-Transport-Security (docs/deploy.md).
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008"]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
    }
}

DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["cases.api.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["cases.api.parsing.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_THROTTLE_CLASSES": ["cases.api.limits.KeyThrottle"],
    "EXCEPTION_HANDLER": "cases.api.errors.answer_exception",
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
    "COERCE_DECIMAL_TO_STRING": False,
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "OAS_VERSION": "3.1.1",
    "TITLE": "Offload API",
    "VERSION": "0.1.0",
    # Loads all of cases.api.openapi, and that only when the description is asked for.
    "DEFAULT_GENERATOR_CLASS": "cases.api.openapi.generator.DescriptionGenerator",
    "CAMELIZE_NAMES": True,
    "SORT_OPERATION_PARAMETERS": False,
    "POSTPROCESSING_HOOKS": [],
}

# -- Celery. PostgreSQL holds every piece of work; the queue only says "look at case N", so a lost,
# doubled or late message costs time and never a case.
CELERY_BROKER_URL = "sqs://"
CELERY_TASK_DEFAULT_QUEUE = OFFLOAD_QUEUE
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
    "region": OFFLOAD_QUEUE_REGION,
    "visibility_timeout": OFFLOAD_QUEUE_VISIBILITY_SECONDS,
    "wait_time_seconds": 10,
    # At kombu's default of 1.0 a full prefetch caps a process at about two tasks a second.
    "polling_interval": 0.1,
    # Publishing to a dead queue must fail within about a second: the row is already safe.
    "client-config": {
        "connect_timeout": 1,
        "read_timeout": 2,
        "retries": {"total_max_attempts": 1},
        "max_pool_connections": 50,
    },
    "max_retries": 0,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.1,
}
if OFFLOAD_QUEUE_URL:
    CELERY_BROKER_TRANSPORT_OPTIONS["predefined_queues"] = {OFFLOAD_QUEUE: {"url": OFFLOAD_QUEUE_URL}}
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_ACKS_LATE = True
# acks_late alone loses the message when a pool child is killed.
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_ACKS_ON_FAILURE_OR_TIMEOUT = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Without it a worker gives up for good after a hundred tries.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BEAT_SCHEDULER = "offload.beat:LeaderScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "sweep events": {"task": "cases.sweep_events", "schedule": OFFLOAD_SWEEP_SECONDS},
    "sweep follow-ups": {"task": "cases.sweep_follow_ups", "schedule": float(OFFLOAD_FOLLOW_UP_SWEEP_SECONDS)},
    "give up old events": {"task": "cases.give_up_old_events", "schedule": 3600.0},
    "match waiting mail": {"task": "cases.match_waiting_mail", "schedule": 60.0},
    "check mail account": {"task": "cases.check_mail_account", "schedule": 60.0},
    "reconcile mail": {"task": "cases.reconcile_mail", "schedule": float(OFFLOAD_RECONCILE_SECONDS)},
    "forget old requests": {"task": "cases.forget_old_requests", "schedule": 3600.0},
    "clear what is over": {"task": "offload.clear_what_is_over", "schedule": 3600.0},
    "sweep deliveries": {"task": "webhooks.sweep_deliveries", "schedule": OFFLOAD_SWEEP_SECONDS},
}
for entry in CELERY_BEAT_SCHEDULE.values():
    # A tick that waited in a broken queue is worth nothing once the next one is due.
    entry["options"] = {"expire_seconds": max(int(entry["schedule"]), 10)}

LOGGING = build_logging(level=OFFLOAD_LOG_LEVEL, log_format=OFFLOAD_LOG_FORMAT)
