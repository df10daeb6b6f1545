"""The strict field types of request bodies; must not know a route or the database.

DRF's own fields convert: a number becomes a string, "3" becomes 3, true becomes 1. Here a wrong type is a fault.
Every message reads on from the field's name: "goal.objective is required".
"""

from __future__ import annotations

import re
from functools import cache, cached_property
from typing import Any, NoReturn
from zoneinfo import available_timezones

from django.conf import settings
from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.validators import EmailValidator
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.fields import empty

from webhooks.address import check_url

REQUIRED = "is required"
MAX_ADDRESS = 254  # RFC 5321 section 4.5.3.1.3, without the angle brackets
MAX_LOCAL_PART = 64  # RFC 5321 section 4.5.3.1.1
# Control characters and the two Unicode line ends, each of which could break a mail's header line; and what overrides
# the direction of writing, with which a name can be made to look like another. Its mere marks are part of some names.
_BREAKING = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_is_mail_address = EmailValidator(allowlist=[])


class _Strict(serializers.Field[Any, Any, Any, Any]):
    """Refuses null by name: what is optional is left out instead."""

    kind = "a value"

    def refuse_type(self) -> NoReturn:
        raise ValidationError(f"must be {self.kind}" if self.required else f"must be {self.kind}, or left out")

    def run_validation(self, data: Any = empty) -> Any:
        """Returns the value. DRF's own also looks for defaults, form data and validators, which no field here has."""
        if data is empty:
            raise ValidationError(REQUIRED)
        if data is None:
            self.refuse_type()
        return self.to_internal_value(data)


class _Text(_Strict, serializers.CharField):
    kind = "a string"


class TextField(_Text):
    """A string of at most `max_length` characters, kept as it is; `may_be_empty` lets through white space alone too."""

    def __init__(self, *, max_length: int, may_be_empty: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.max_characters = max_length
        self.may_be_empty = may_be_empty

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.refuse_type()
        # A zero-width space is no white space to `strip`, and nobody can see it.
        if not self.may_be_empty and not any(char.isprintable() and not char.isspace() for char in data):
            raise ValidationError("must not be empty")
        if len(data) > self.max_characters:
            raise ValidationError(f"must have at most {self.max_characters:,} characters")
        return data


class LineField(TextField):
    """One line, without control characters; white space around it is dropped."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if _BREAKING.search(text):
            raise ValidationError("must be one line without control characters")
        return text.strip()


class AddressField(_Text):
    """Exactly one e-mail address that a stranger's mail server can be found for: no display name, no local host."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.refuse_type()
        local, _, domain = data.rpartition("@")
        if len(data) > MAX_ADDRESS or len(local) > MAX_LOCAL_PART:
            raise ValidationError(
                f"must be an e-mail address of at most {MAX_ADDRESS} characters, {MAX_LOCAL_PART} of them before the @"
            )
        # Django would take such a domain after dropping what cannot be seen in it, a zero-width space for example.
        if not domain.isascii():
            raise ValidationError(
                "must have its domain in ASCII; write an international one in its xn-- form, "
                "such as xn--bcher-kva.example"
            )
        try:
            _is_mail_address(data)
        except DjangoValidationError:
            self._refuse()
        # Django takes "a b"@example.com, a@[127.0.0.1] and a@10.0.0.10 for good addresses.
        last_label = domain.rpartition(".")[2].lower()
        if local.startswith('"') or domain.startswith("[") or last_label.isdecimal() or last_label == "localhost":
            self._refuse()
        return data

    def _refuse(self) -> NoReturn:
        raise ValidationError("must be exactly one e-mail address, such as maya@example.com, without a name around it")


class WholeNumberField(_Strict, serializers.IntegerField):
    """An integer from `low` to `high`; neither 3.0 nor "3" nor true is one."""

    def __init__(self, *, low: int, high: int, **options: Any) -> None:
        super().__init__(**options)
        self.low = low
        self.high = high
        self.kind = f"an integer from {low} to {high:,}"

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int or not self.low <= data <= self.high:
            self.refuse_type()
        return data


class ObjectField(_Strict, serializers.JSONField):
    """Any JSON object."""

    kind = "an object"

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.refuse_type()
        return data


class KnowledgeField(_Strict, serializers.JSONField):
    """A string or an object."""

    kind = "a string or an object"

    def to_internal_value(self, data: Any) -> str | dict[str, Any]:
        if not isinstance(data, str | dict):
            self.refuse_type()
        return data


class TextMapField(ObjectField):
    """An object whose values are all strings."""

    kind = "an object of strings"

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        members = super().to_internal_value(data)
        faults = {name: ["must be a string"] for name, value in members.items() if not isinstance(value, str)}
        if faults:
            raise ValidationError(faults)
        return members


class TextListField(_Strict, serializers.ListField):
    """A list of at most `max_items` non-empty strings of at most `max_characters` each."""

    kind = "a list of strings"

    def __init__(self, *, max_items: int, max_characters: int, **options: Any) -> None:
        super().__init__(child=TextField(max_length=max_characters), **options)
        self.max_items = max_items

    def to_internal_value(self, data: Any) -> list[Any]:
        if not isinstance(data, list):
            self.refuse_type()
        if len(data) > self.max_items:
            raise ValidationError(f"must have at most {self.max_items} members")
        texts: list[Any] = super().to_internal_value(data)
        return texts


class TimezoneField(TextField):
    """The name of a zone of the IANA database, such as Europe/Berlin."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=64, **options)

    def to_internal_value(self, data: Any) -> str:
        name = super().to_internal_value(data)
        if name not in _list_timezones():
            raise ValidationError("must be an IANA time zone, such as Europe/Berlin")
        return name


@cache
def _list_timezones() -> frozenset[str]:
    # Debian lists the host's own zone among them, and "Factory" says that nobody has chosen one.
    return frozenset(available_timezones() - {"localtime", "Factory"})


class WebhookUrlField(TextField):
    """A URL that a client webhook may go to, judged by its form; no name is looked up."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=2048, **options)

    def to_internal_value(self, data: Any) -> str:
        url = super().to_internal_value(data)
        fault = check_url(url, allow_private=settings.OFFLOAD_WEBHOOK_ALLOW_PRIVATE)
        if fault:
            raise ValidationError(f"is refused: {fault.rstrip('.')}")
        return url


class ChannelField(TextField):
    """EMAIL; SMS is a known word without a provider behind it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=20, **options)

    def to_internal_value(self, data: Any) -> str:
        channel = super().to_internal_value(data)
        if channel == "SMS":
            raise ValidationError("is SMS, but no SMS provider is configured here; use EMAIL")
        if channel != "EMAIL":
            raise ValidationError("must be EMAIL or SMS")
        return channel


class StrictSerializer(serializers.Serializer[Any]):
    """An object with known members; members that are not known are ignored."""

    @cached_property
    def _members(self) -> list[tuple[str, serializers.Field[Any, Any, Any, Any]]]:
        return list(self.fields.items())

    def run_validation(self, data: Any = empty) -> dict[str, Any]:
        """Returns the members that were given. Raises ValidationError with the faults of all of them.

        DRF's own comes to the same at four times the cost: see `_Strict.run_validation`.
        """
        if data is empty:
            raise ValidationError(REQUIRED)
        if not isinstance(data, dict):
            raise ValidationError("must be an object")
        values: dict[str, Any] = {}
        faults: dict[str, Any] = {}
        for name, field in self._members:
            value = data.get(name, empty)
            if value is empty and not field.required:
                continue
            try:
                values[name] = field.run_validation(value)
            except ValidationError as error:
                faults[name] = error.detail
        if faults:
            raise ValidationError(faults)
        return values
