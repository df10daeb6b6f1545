"""Which agent the setting OFFLOAD_AGENT names; must not read the settings itself."""

from cases.agent.offline.agent import OfflineAgent
from cases.agent.protocol import Agent, AgentMisconfigured


def build_agent(name: str) -> Agent:
    """Return the agent of that name; AgentMisconfigured, naming the setting and the remedy, when there is none."""
    if name == "offline":
        return OfflineAgent()
    raise AgentMisconfigured(f'OFFLOAD_AGENT is "{name}", which names no agent. Set OFFLOAD_AGENT=offline.')
