"""The settings of the test run: the product's own, with the environment of a local installation filled in first."""

import os

for name, value in {
    "OFFLOAD_MODE": "local",
    "OFFLOAD_SECRET_KEY": "only-for-tests-not-a-secret",
    "OFFLOAD_SANDBOX": "1",
    "OFFLOAD_SANDBOX_URL": "http://127.0.0.1:9",
    "AGENTMAIL_BASE_URL": "http://127.0.0.1:9/sandbox/agentmail/v0",
    "AGENTMAIL_API_KEY": "am_test_key",
    "AGENTMAIL_INBOX_ID": "agent@offload.example",
    "AGENTMAIL_WEBHOOK_SECRETS": "whsec_dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk=",
    "OFFLOAD_WEBHOOK_ALLOW_PRIVATE": "1",
    "OFFLOAD_ALLOWED_HOSTS": "testserver,localhost,127.0.0.1",
    # Port 9 refuses at once: a test that needs the queue starts one and points here.
    "AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:9",
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "DATABASE_URL": "postgres://offload@127.0.0.1:5432/offload",
}.items():
    os.environ.setdefault(name, value)

from offload.settings import *  # noqa: E402, F403

DATABASES["default"]["ENGINE"] = "tests.database"  # noqa: F405
# The real one is slow on purpose, and nothing here depends on it.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Static files come from the apps: nothing is collected for a test.
WHITENOISE_AUTOREFRESH = True
WHITENOISE_USE_FINDERS = True
