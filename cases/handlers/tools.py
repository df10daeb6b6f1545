"""What a handler needs from outside: the agent, the mail provider, a clock; must not hold any state of a case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from agentmail.client import AgentMailClient
from cases.agent.protocol import Agent


@dataclass(frozen=True, slots=True)
class Tools:
    agent: Agent
    mail: AgentMailClient
    read_clock: Callable[[], datetime]


def release_connection() -> None:
    """Gives a pooled database connection back before a long wait; the next query takes another one.

    Threads outnumber connections: a connection held over a model or mail call starves the others of theirs.
    """
    if "pool" in connection.settings_dict["OPTIONS"] and not connection.in_atomic_block:
        connection.close()
