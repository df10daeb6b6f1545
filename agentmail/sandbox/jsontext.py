"""PURE: reads a request's JSON object and checks it against its model; must not know the database or HTTP."""

import json
from collections.abc import Iterator
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

JSONObject = dict[str, Any]
Model = TypeVar("Model", bound=BaseModel)
MAX_DEPTH = 32


class BadBodyError(Exception):
    """The body cannot be used; `errors` has one entry of path, message and code for each fault."""

    def __init__(self, errors: list[JSONObject]) -> None:
        super().__init__("; ".join(describe_error(error) for error in errors))
        self.errors = errors


def read_object(raw: bytes) -> JSONObject:
    """Returns the JSON object in `raw`; an empty body is an empty object.

    Raises BadBodyError for anything else, and for text that PostgreSQL cannot store (NUL, lone surrogates).
    """
    if not raw.strip():
        return {}
    try:
        value = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise BadBodyError([make_error([], "The body is not valid JSON in UTF-8.", "invalid_json")]) from None
    if not isinstance(value, dict):
        raise BadBodyError([make_error([], "The body must be a JSON object.", "invalid_type")])
    errors = list(_find_unstorable(value, []))
    if errors:
        raise BadBodyError(errors)
    return value


def check_object(value: JSONObject, model: type[Model]) -> Model:
    """Returns the object as its model; raises BadBodyError with every field that does not fit."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        raise BadBodyError(
            [make_error(list(fault["loc"]), _clean_message(fault["msg"]), fault["type"]) for fault in faults]
        ) from None


def make_error(path: list[Any], message: str, code: str) -> JSONObject:
    """Returns one entry of the provider's `errors` list."""
    return {"path": path, "message": message, "code": code}


def describe_error(error: JSONObject) -> str:
    """Returns the fault as one line that names its field."""
    path = ".".join(str(step) for step in error["path"])
    return f"{path}: {error['message']}" if path else str(error["message"])


def _refuse_constant(name: str) -> NoReturn:
    # Python reads NaN and Infinity, which are not JSON and which jsonb refuses.
    raise ValueError(name)


def _clean_message(message: str) -> str:
    return message.removeprefix("Value error, ")


def _find_unstorable(value: Any, path: list[Any]) -> Iterator[JSONObject]:
    if len(path) > MAX_DEPTH:
        yield make_error(path[:3], f"must not be nested deeper than {MAX_DEPTH} levels", "too_deep")
    elif isinstance(value, str):
        if not _is_storable(value):
            yield make_error(path, "must not contain NUL or half a surrogate pair", "invalid_string")
    elif isinstance(value, dict):
        for key, member in value.items():
            if _is_storable(key):
                yield from _find_unstorable(member, [*path, key])
            else:
                yield make_error(path, "must not have keys with NUL or half a surrogate pair", "invalid_string")
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _find_unstorable(member, [*path, index])


def _is_storable(text: str) -> bool:
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
