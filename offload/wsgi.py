"""The WSGI entry point for gunicorn; holds no logic of its own."""

import os

from django.core.wsgi import get_wsgi_application

from cases.api.last_resort import answer_every_failure
from webhooks.nudge import send_in_background

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "offload.settings")

application = answer_every_failure(get_wsgi_application())
send_in_background()
