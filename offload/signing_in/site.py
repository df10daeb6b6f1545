"""The admin's site with its login and the page "Two-step login"; must not register a model."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils import timezone
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp import login as note_second_step

from offload.admin_site import OffloadAdminSite
from offload.signing_in import devices, limit
from offload.signing_in.forms import CodeForm, PasswordForm, SignInForm

WRONG_CODE = (
    "This is not the code of the moment. Wait until the app shows another one and type that; "
    "if it never fits, the phone's clock is wrong."
)


class SigningInSite(OffloadAdminSite):
    login_form = SignInForm

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Shows the login page and signs in; 429 with Retry-After, and nothing is looked at, beyond the limit."""
        response = super().login(request, extra_context)
        if request.method != "POST":
            return response
        if not isinstance(response, TemplateResponse):
            limit.remember_browser(response, request.user.get_username())
            return response
        form = (response.context_data or {}).get("form")
        if isinstance(form, SignInForm) and form.wait_s:
            _refuse(response, form.wait_s)
        return response

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Returns the site's routes; the two pages of the set-up are open to who has to set it up first."""
        view = super().admin_view
        return [
            path("two-step/", view(self.two_step_view), name="two_step"),
            path("two-step/secret.svg", view(self.secret_view), name="two_step_secret"),
            *super().get_urls(),
        ]

    def admin_view(self, view: Callable[..., HttpResponseBase], cacheable: bool = False) -> Any:
        """Wraps a page as Django does; with OFFLOAD_REQUIRE_TWO_STEP it leads to the set-up who signed in without."""
        inner: Callable[..., HttpResponseBase] = super().admin_view(view, cacheable)

        def show(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if view != self.logout and self._must_set_up(request):
                return HttpResponseRedirect(reverse("admin:two_step"))
            return inner(request, *args, **kwargs)

        return update_wrapper(show, inner)

    def _must_set_up(self, request: HttpRequest) -> bool:
        required = settings.OFFLOAD_REQUIRE_TWO_STEP and self.has_permission(request)
        return required and DEVICE_ID_SESSION_KEY not in request.session

    def secret_view(self, request: HttpRequest) -> HttpResponse:
        """Draws the secret of a set-up that was begun and not confirmed; 404 otherwise."""
        app = devices.find_pending_app(_get_user(request))
        if app is None:
            return HttpResponse(status=404)
        return HttpResponse(devices.draw_secret(app), content_type="image/svg+xml")

    def two_step_view(self, request: HttpRequest) -> HttpResponseBase:
        """Shows how a person's own login stands and, on a POST, begins, confirms or ends its second step."""
        steps = {"begin": self._begin, "confirm": self._confirm, "remove": self._remove}
        step = steps.get(request.POST.get("step", "")) if request.method == "POST" else None
        return step(request) if step else self._show(request)

    def _begin(self, request: HttpRequest) -> HttpResponseBase:
        devices.begin_set_up(_get_user(request))
        return HttpResponseRedirect(reverse("admin:two_step"))

    def _confirm(self, request: HttpRequest) -> HttpResponseBase:
        user, form = _get_user(request), CodeForm(request.POST)
        if not form.is_valid():
            return self._show(request, form=form, status=400)
        confirmed = devices.confirm_set_up(user, form.cleaned_data["code"])
        if confirmed is None:
            form.add_error("code", WRONG_CODE)
            return self._show(request, form=form, status=400)
        app, codes = confirmed
        note_second_step(request, app)
        _log(user, "Turned two-step login on.")
        devices.end_sessions(user, timezone.now(), keep=request.session.session_key)
        return self._show(request, recovery_codes=codes)

    def _remove(self, request: HttpRequest) -> HttpResponseBase:
        user, form = _get_user(request), PasswordForm(request.POST)
        if not form.is_valid():
            return self._show(request, form=form, status=400)
        attempt = limit.begin_attempt(request, user.get_username())
        if attempt.wait_s:
            form.add_error("password", limit.describe_wait(attempt.wait_s))
            return _refuse(self._show(request, form=form), attempt.wait_s)
        if not user.check_password(form.cleaned_data["password"]):
            form.add_error("password", "This is not your password.")
            return self._show(request, form=form, status=400)
        limit.succeed(attempt)
        if devices.remove(user):
            _log(user, "Turned two-step login off.")
        request.session.pop(DEVICE_ID_SESSION_KEY, None)
        devices.end_sessions(user, timezone.now(), keep=request.session.session_key)
        messages.success(request, "Your password alone signs you in.")
        return HttpResponseRedirect(reverse("admin:two_step"))

    def _show(
        self,
        request: HttpRequest,
        *,
        form: CodeForm | PasswordForm | None = None,
        recovery_codes: list[str] | None = None,
        status: int = 200,
    ) -> TemplateResponse:
        user = _get_user(request)
        app = devices.find_app(user)
        pending = devices.find_pending_app(user) if app is None else None
        context = {
            **self.each_context(request),
            "title": "Two-step login",
            "app": app,
            "pending": pending,
            "secret": devices.format_secret(pending) if pending else "",
            "form": form or (PasswordForm() if app else CodeForm()),
            "recovery_codes": recovery_codes,
            "codes_left": devices.count_recovery_codes(user),
            "must_set_up": self._must_set_up(request),
        }
        return TemplateResponse(request, "signing_in/two_step.html", context, status=status)


def _refuse(response: TemplateResponse, wait_s: float) -> TemplateResponse:
    response.status_code = 429
    response["Retry-After"] = str(math.ceil(wait_s))
    return response


def _get_user(request: HttpRequest) -> User:
    # Every page here is behind `admin_view`.
    assert isinstance(request.user, User)
    return request.user


def _log(user: User, deed: str) -> None:
    LogEntry.objects.log_actions(user.pk, User.objects.filter(pk=user.pk), CHANGE, deed, single_object=True)
