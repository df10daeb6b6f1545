"""The provider's error answers (name, code, message, fix, errors); must not decide when one is due."""

from agentmail.sandbox.jsontext import BadBodyError, JSONObject


class ProviderError(Exception):
    """One error answer of the provider's API; `headers` go onto the response."""

    def __init__(
        self,
        status: int,
        name: str,
        code: str,
        message: str,
        *,
        fix: str = "",
        errors: list[JSONObject] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        self.body: JSONObject = {"name": name, "code": code, "message": message}
        if errors is not None:
            self.body["errors"] = errors
        if fix:
            self.body["fix"] = fix


class GatewayRefusalError(ProviderError):
    """The bare 403 that the gateway before the API answers, without name or code."""

    def __init__(self) -> None:
        super().__init__(403, "", "", "Forbidden")
        self.body = {"message": "Forbidden"}


def validation_error(fault: BadBodyError) -> ProviderError:
    """Returns the 400 for a body that does not fit."""
    return ProviderError(400, "ValidationError", "validation_error", str(fault), errors=fault.errors)


def parameter_error(name: str, message: str) -> ProviderError:
    """Returns the 400 for one query parameter or header."""
    errors = [{"path": [name], "message": message, "code": "invalid_value"}]
    return ProviderError(400, "ValidationError", "validation_error", f"{name}: {message}", errors=errors)


def not_found(what: str) -> ProviderError:
    """Returns the 404 for a thing that does not exist."""
    return ProviderError(404, "NotFoundError", "not_found", f"{what} not found")


def key_in_flight() -> ProviderError:
    """Returns the 409 for an Idempotency-Key whose first request is still running."""
    return ProviderError(
        409, "ConflictError", "conflict", "A request with this Idempotency-Key is still being processed"
    )


def key_reused() -> ProviderError:
    """Returns the 409 for an Idempotency-Key that came with another request before."""
    return ProviderError(
        409,
        "IdempotencyKeyConflictError",
        "conflict",
        "This Idempotency-Key was already used with a different request",
        fix="Use a new key for a different request, or repeat the first request unchanged.",
    )


def message_rejected(message: str, fix: str) -> ProviderError:
    """Returns the 403 for a mail that the provider will not send."""
    return ProviderError(403, "MessageRejectedError", "message_rejected", message, fix=fix)
