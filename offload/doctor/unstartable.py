"""What `manage.py doctor` prints when the settings let nothing start; must not need Django's own set-up."""

from __future__ import annotations

import json
from collections.abc import Sequence

from offload.doctor.findings import explain_settings, to_document


def report_settings(fault: str, arguments: Sequence[str]) -> str:
    """Returns the report, ready to print; nothing else can be looked at without settings."""
    findings = explain_settings(fault)
    if "--json" in arguments:
        return json.dumps(to_document(findings), ensure_ascii=False, indent=2) + "\n"
    return "".join(finding.to_line() + "\n" for finding in findings)
