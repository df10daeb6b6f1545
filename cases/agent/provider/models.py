"""Builds the model that a settings string names, with its key and address; must not call it."""

from dataclasses import dataclass
from typing import Any

from pydantic_ai.exceptions import UserError
from pydantic_ai.models import Model, infer_model, parse_model_id
from pydantic_ai.providers import Provider, infer_provider, infer_provider_class

from cases.agent.protocol import AgentMisconfigured


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model by its name (`anthropic:…`, `openai-chat:…`, `ollama:…`), and where and with which key to reach it.

    Empty key or base URL: the provider's own environment variables and address.
    """

    name: str
    api_key: str = ""
    base_url: str = ""


def takes_temperature(model: Model) -> bool:
    """Return whether the model lets a request set its temperature; models that reason answer such a request with 400.

    The library drops the setting for them too, with a warning at every call.
    """
    profile = model.profile
    return not (profile.get("openai_supports_reasoning") or profile.get("anthropic_disallows_sampling_settings"))


def build_model(choice: ModelChoice) -> Model:
    """Return the model; AgentMisconfigured, naming the setting and the remedy, when the name or its key is wrong."""
    provider_name, _ = parse_model_id(choice.name)
    if not provider_name:
        raise AgentMisconfigured(
            f'OFFLOAD_MODEL is "{choice.name}"; write provider and model, such as anthropic:claude-sonnet-5-5.'
        )
    given = {"api_key": choice.api_key, "base_url": choice.base_url}
    options = {name: value for name, value in given.items() if value}

    def make_provider(name: str) -> Provider[Any]:
        return infer_provider_class(name)(**options) if options else infer_provider(name)

    try:
        return infer_model(choice.name, make_provider)
    except (UserError, ValueError, TypeError, ImportError) as error:
        reason = " ".join(str(error).split())[:300]
        raise AgentMisconfigured(
            f'The model "{choice.name}" cannot be used: {reason} Check OFFLOAD_MODEL, OFFLOAD_MODEL_API_KEY and '
            "OFFLOAD_MODEL_BASE_URL."
        ) from None
