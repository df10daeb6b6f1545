# One image for web, worker, beat and the commands of manage.py. Build: docker build -t offload .
FROM python:3.11.14-slim-bookworm AS packages

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
COPY requirements.txt /tmp/requirements.txt
# One of them comes as source, without a compiler's work: pip builds it here, and nothing of that reaches the image.
RUN /opt/venv/bin/pip install --require-hashes -r /tmp/requirements.txt \
    && /opt/venv/bin/pip uninstall --yes pip setuptools \
    && /opt/venv/bin/python -m compileall -q /opt/venv/lib


FROM python:3.11.14-slim-bookworm

# A number, so that "run as non-root" can be proved from outside. pip is of no use to a process that installs nothing.
RUN groupadd --system --gid 10001 offload \
    && useradd --system --uid 10001 --gid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin offload \
    && python -m pip uninstall --yes --quiet pip setuptools wheel
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DJANGO_SETTINGS_MODULE=offload.settings
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
# Owned by root: the processes can read their code and not change it.
COPY manage.py ./
COPY offload offload
COPY cases cases
COPY agentmail agentmail
COPY webhooks webhooks
# Collecting needs settings that load and no service; they are gone with this line.
RUN OFFLOAD_MODE=local OFFLOAD_SECRET_KEY=only-while-building python manage.py collectstatic --no-input \
    && python -m compileall -q offload cases agentmail webhooks
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
# Of the web process; worker and beat have their own in docker-compose.yml.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-m", "offload.alive", "web"]
CMD ["python", "-m", "gunicorn", "-c", "python:offload.serving", "offload.wsgi:application", "--bind", "0.0.0.0:8000", "--no-control-socket"]
