"""The forms of signing in; must not say which of name, password and code was wrong."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError
from django.views.decorators.debug import sensitive_variables

from offload.signing_in import devices, limit

LONGEST_CODE = 32
_CODE_FIELD = {"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"}


class SignInForm(AdminAuthenticationForm):
    """Name, password and, for who has two-step login, a code. `wait_s` is above 0 when nothing was looked at."""

    error_messages = {
        **AdminAuthenticationForm.error_messages,
        "invalid_login": (
            "The name, the password or the code is not right. Capital letters count. "
            "Whoever has two-step login needs a code as well, and each code works once."
        ),
    }
    code = forms.CharField(
        label="Code",
        required=False,
        max_length=LONGEST_CODE,
        help_text="Only with two-step login: from your app, or a recovery code.",
        widget=forms.TextInput(attrs=_CODE_FIELD),
    )
    wait_s = 0.0

    @sensitive_variables()
    def clean(self) -> dict[str, Any]:
        """Raises ValidationError for an attempt beyond the limit, before the password is looked at."""
        cleaned: dict[str, Any] = self.cleaned_data
        if not {"username", "password", "code"} <= cleaned.keys():
            return cleaned
        assert self.request is not None
        attempt = limit.begin_attempt(self.request, cleaned["username"])
        self.wait_s = attempt.wait_s
        if self.wait_s:
            raise ValidationError(limit.describe_wait(self.wait_s), code="too_many")
        super().clean()
        self._take_second_step(cleaned["code"])
        limit.succeed(attempt)
        return cleaned

    def _take_second_step(self, code: str) -> None:
        user = self.get_user()
        if devices.find_app(user) is None:
            return
        device = devices.use_code(user, code)
        if device is None:
            self.user_cache = None
            raise self.get_invalid_login_error()
        # django-otp's name: its receiver of Django's login signal notes the device in the session.
        vars(user).update(otp_device=device)


class CodeForm(forms.Form):
    """The code that shows that the app holds the secret."""

    code = forms.CharField(
        label="Code that the app shows",
        max_length=LONGEST_CODE,
        widget=forms.TextInput(attrs=_CODE_FIELD | {"inputmode": "numeric"}),
        error_messages={"required": "Type the six digits that the app shows."},
    )


class PasswordForm(forms.Form):
    """The password of whoever turns two-step login off."""

    password = forms.CharField(
        label="Your password",
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        error_messages={"required": "Type your password."},
    )
