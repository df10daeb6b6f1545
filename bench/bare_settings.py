"""The settings of bench/bare.py: the product's database and models, and none of its middleware and checks."""

from offload.settings import *  # noqa: F403
from offload.settings import DATABASES

MIDDLEWARE = []
ROOT_URLCONF = "bench.bare"
DATABASES["default"]["CONN_HEALTH_CHECKS"] = False
