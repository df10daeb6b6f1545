"""PURE: which settings Offload refuses to start with; must not read the environment or Django."""

import re

MODES = ("production", "local")


def list_production_faults(
    *,
    mode: str,
    secret_key: str,
    debug: bool,
    sandbox: bool,
    sandbox_url: str,
    agentmail_base_url: str,
    agentmail_api_key: str,
    agentmail_inbox_id: str,
    agentmail_webhook_secrets: list[str],
    database_url_set: bool,
    install_id: str,
    lease_seconds: float,
    heartbeat_seconds: float,
    sweep_seconds: int,
    visibility_seconds: float,
) -> list[str]:
    """Returns one sentence for each setting that must be mended first; an empty list means: start."""
    if mode not in MODES:
        return [f'OFFLOAD_MODE is "{mode}"; set it to "production" or "local".']
    faults = []
    if heartbeat_seconds * 2 > lease_seconds:
        faults.append("OFFLOAD_HEARTBEAT_SECONDS must be at most half of OFFLOAD_LEASE_SECONDS.")
    if sweep_seconds < 1:
        faults.append("OFFLOAD_SWEEP_SECONDS must be at least 1.")
    if lease_seconds >= visibility_seconds:
        faults.append("OFFLOAD_LEASE_SECONDS must be shorter than OFFLOAD_QUEUE_VISIBILITY_SECONDS.")
    if not re.fullmatch(r"[A-Za-z0-9._~-]{1,100}", install_id):
        # The provider refuses an idempotency key with any other character, and with it every mail.
        faults.append("OFFLOAD_INSTALL_ID must be 1 to 100 characters of A-Z a-z 0-9 - . _ ~.")
    if not secret_key:
        faults.append("OFFLOAD_SECRET_KEY is not set; set it to at least 50 random characters.")
    if sandbox and not agentmail_base_url.startswith(sandbox_url):
        faults.append(
            "OFFLOAD_SANDBOX is on, but AGENTMAIL_BASE_URL is not the sandbox's; "
            "a sandbox never runs beside the real mail provider. Unset one of the two."
        )
    if mode == "local":
        return faults
    if debug:
        faults.append("OFFLOAD_DEBUG is on; it shows settings to strangers. Unset it.")
    if sandbox:
        faults.append("OFFLOAD_SANDBOX is on; it would accept mail from anybody. Unset it.")
    if not agentmail_api_key:
        faults.append("AGENTMAIL_API_KEY is not set; create a key in AgentMail's console and set it.")
    if not agentmail_inbox_id:
        faults.append("AGENTMAIL_INBOX_ID is not set; set it to the address that Offload writes from.")
    if not agentmail_webhook_secrets:
        faults.append("AGENTMAIL_WEBHOOK_SECRETS is not set; set it to the whsec_ secret of AgentMail's webhook.")
    if not database_url_set:
        faults.append("DATABASE_URL is not set; set it to postgres://user:password@host:5432/name.")
    return faults
