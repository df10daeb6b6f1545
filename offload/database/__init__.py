"""Django's PostgreSQL backend with a cheaper health check; settings.py names it as the ENGINE."""
