"""The sandbox's bad days in the admin: one page, for who may change its records."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path

from alguna_portal.sandbox.engine.faults import Fault
from alguna_portal.sandbox.web.portal_views import debug_only
from alguna_portal.sandbox.web.store import reading, writing

from .engine import faults
from .models import Weather

if TYPE_CHECKING:
    WeatherAdminBase = admin.ModelAdmin[Weather]
else:
    WeatherAdminBase = admin.ModelAdmin

COMMON_DAYS = (
    ("", "…"),
    ("latency=3", "Slow: every answer takes 3 seconds"),
    ("latency=30", "Very slow: every answer takes 30 seconds"),
    ("status=429; retry-after=7", "Too many requests: 429 with Retry-After"),
    ("status=500", "Error: 500"),
    ("status=503; times=2", "Hiccup: 503 for the next two requests"),
    ("gateway", "The gateway refuses the key: 401"),
    ("html=502", "A proxy's page: 502 with HTML"),
    ("drop", "Connections are dropped"),
    ("session-seconds=60", "New portal sessions live for a minute"),
    ("single-use=browser", "Portal links open again in the same browser only"),
    ("single-use=anywhere", "Portal links open once"),
    (
        "webhook-loss=0.1; webhook-duplicate=0.3; webhook-delay=5; webhook-reorder=0.3",
        "Webhook messages come late, twice, out of turn, or never",
    ),
    ("webhook-loss=1; webhook-times=1", "The next webhook message is lost"),
)


class WeatherForm(forms.Form):
    """A day from the list or in words; what is written wins."""

    day = forms.ChoiceField(label="A common day", choices=COMMON_DAYS, required=False)
    text = forms.CharField(
        label="Or in words",
        required=False,
        help_text="Parts with semicolons between them, such as “status=503; times=2”. They replace what is now. "
        f"The parts are {', '.join(faults.NAMES)}.",
        widget=forms.TextInput(attrs={"class": "vLargeTextField", "autocomplete": "off", "spellcheck": "false"}),
    )

    def clean(self) -> dict[str, Any]:
        """Read the grammar, its errors at the field that was written in."""
        data: dict[str, Any] = self.cleaned_data
        if "day" in data:
            try:
                data["fault"] = faults.read(data["text"] or data["day"])
            except faults.UnreadableFault as error:
                self.add_error("text", str(error))
        return data


@admin.register(Weather)
class WeatherAdmin(WeatherAdminBase):
    """One page in the place of a list."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return request.user.has_perm("alguna_sandbox.change_record")

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def get_urls(self) -> list[URLPattern]:
        # The list's address alone: single records hold sessions, and are nobody's to read.
        page = self.admin_site.admin_view(debug_only(self.page))
        return [path("", page, name="alguna_sandbox_weather_changelist")]

    def page(self, request: HttpRequest) -> HttpResponse:
        """Show the weather; on POST, change or clear it."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        form = WeatherForm(request.POST if request.method == "POST" and "clear" not in request.POST else None)
        if form.is_valid() or "clear" in request.POST:
            with writing() as state:
                faults.change(state, form.cleaned_data["fault"] if form.is_bound else Fault())
            self.message_user(request, "The weather has changed.", messages.SUCCESS)
            return redirect(request.path)
        context = {
            **self.admin_site.each_context(request),
            "title": "Weather of the Alguna sandbox",
            "opts": self.model._meta,
            "form": form,
            "weather": str(faults.current(reading())),
        }
        request.current_app = self.admin_site.name
        return render(request, "admin/alguna_sandbox/weather.html", context)
