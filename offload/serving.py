"""How gunicorn serves Offload: `gunicorn -c python:offload.serving offload.wsgi:application`; the command line wins.

Must not import Django: gunicorn's master reads this before it forks.
"""

worker_class = "gthread"
workers = 2
threads = 4
# Seconds in which requests that were taken are finished after SIGTERM.
graceful_timeout = 30
# Seconds; must exceed the idle timeout of the proxy in front, which else sends into a connection that is being closed.
keepalive = 75
# By default a caller on this host, a proxy that hands on every header among them, chooses with SCRIPT_NAME which part
# of its path is the route: /cases/admin/ would be the admin, and a path that does not fit a 500 in HTML.
forwarder_headers = ""
