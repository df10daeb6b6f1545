"""Says what a failed model call means for the ledger: later, our settings, or a human; must not retry anything."""

import logging

from pydantic_ai.exceptions import (
    AgentRunError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelContextWindowExceededError,
    ModelNotFoundError,
    ModelQuotaExceededError,
    ModelRequestRejectedError,
    RunCancelled,
    UnexpectedModelBehavior,
    UserError,
)

from cases.agent.protocol import AgentError, AgentMisconfigured, AgentTemporary, AgentUnusable

logger = logging.getLogger(__name__)

# A provider's filter refuses what somebody wrote, which no setting mends.
CONTENT_CODES = ("content_filter", "content_policy_violation")


class CheckFailed(Exception):
    """Our own check of an answer broke; its cause is a fault of ours and no fault of the model."""


def name_fault(error: Exception, model: str, *, has_answered: bool = True) -> AgentError:
    """Return the error of the protocol that a failed call stands for; `has_answered`: the model was heard at all.

    The provider's own words are not repeated: they may quote the prompt, which holds somebody's mail. Raises the cause
    of CheckFailed.
    """
    match error:
        case CheckFailed():
            raise error.__cause__ or error
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
        case ModelRequestRejectedError() if error.provider_error_code in CONTENT_CODES:
            return AgentUnusable(f"{model} does not take this conversation: its filter refused it.")
        case ModelRequestRejectedError():
            detail = error.provider_error_code or error.provider_error_type or "no reason given"
            return AgentMisconfigured(f"{model} rejected the request ({detail}). Check OFFLOAD_MODEL.")
        case ModelAPIError():
            # A limit, an overload, a 5xx, a cut or silent connection.
            return AgentTemporary(f"{model} did not answer ({type(error).__name__}).", error.retry_after)
        case RunCancelled() | TimeoutError():
            return AgentTemporary(f"{model} did not answer in time.")
        case UnexpectedModelBehavior() if not has_answered:
            # A proxy's page with status 200, an answer of another form: the model itself has said nothing.
            return AgentTemporary(f"{model} did not answer (what came is no answer of a model).")
        case AgentRunError():
            return AgentUnusable(f"{model} gave no answer that may be used ({type(error).__name__}).")
        case UserError():
            return AgentMisconfigured(f"{model} cannot be used as it is set up. Check OFFLOAD_MODEL.")
    # The libraries trip over a body that has not the form they expect, such as `null` or `{}`, with errors of any type.
    logger.error("%s gave an answer that its client cannot read (%s).", model, type(error).__name__)
    return AgentTemporary(f"{model} did not answer (what came is no answer of a model).")
