"""Says what a failed model call means for the ledger: later, our settings, or a human; must not retry anything."""

from pydantic_ai.exceptions import (
    AgentRunError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelContextWindowExceededError,
    ModelNotFoundError,
    ModelQuotaExceededError,
    ModelRequestRejectedError,
    RunCancelled,
    UserError,
)

from cases.agent.protocol import AgentError, AgentMisconfigured, AgentTemporary, AgentUnusable


def name_fault(error: Exception, model: str) -> AgentError:
    """Return the error of the protocol that a failed call stands for.

    The provider's own words are not repeated: they may quote the prompt, which holds somebody's mail.
    """
    match error:
        case AgentError():
            return error
        case ModelContextWindowExceededError():
            return AgentUnusable(f"The conversation is longer than {model} can read.")
        case ModelAuthenticationError():
            return AgentMisconfigured(f"{model} refused the key. Check OFFLOAD_MODEL_API_KEY.")
        case ModelNotFoundError():
            return AgentMisconfigured(
                f"The provider does not know {model}. Check OFFLOAD_MODEL and OFFLOAD_MODEL_BASE_URL."
            )
        case ModelQuotaExceededError():
            return AgentMisconfigured(f"The provider says that the account of {model} is used up. Check its billing.")
        case ModelRequestRejectedError():
            detail = error.provider_error_code or error.provider_error_type or "no reason given"
            return AgentMisconfigured(f"{model} rejected the request ({detail}). Check OFFLOAD_MODEL.")
        case ModelAPIError():
            # A limit, an overload, a 5xx, a cut or silent connection.
            return AgentTemporary(f"{model} did not answer ({type(error).__name__}).", error.retry_after)
        case RunCancelled() | TimeoutError():
            return AgentTemporary(f"{model} did not answer in time.")
        case AgentRunError():
            return AgentUnusable(f"{model} gave no answer that may be used ({type(error).__name__}).")
        case UserError():
            return AgentMisconfigured(f"{model} cannot be used as it is set up. Check OFFLOAD_MODEL.")
    raise error
