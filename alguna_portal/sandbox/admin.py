"""Admin page for simulated faults. It requires the permission to change the sandbox's records."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path

from .conf import debug_only
from .engine import faults
from .models import SimulatedFault, get_state, write_state

COMMON_FAULTS = (
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


class SimulatedFaultForm(forms.Form):
    """A fault from the list or as text; if both are given, the text wins."""

    common = forms.ChoiceField(label="A common simulated fault", choices=COMMON_FAULTS, required=False)
    text = forms.CharField(
        label="Or in words",
        required=False,
        help_text="Parts with semicolons between them, such as “status=503; times=2”. They replace what is now. "
        f"The parts are {', '.join(faults.PART_NAMES)}.",
        widget=forms.TextInput(attrs={"class": "vLargeTextField", "autocomplete": "off", "spellcheck": "false"}),
    )

    def clean(self) -> dict[str, Any]:
        """Parse the fault; show errors at the text field."""
        data: dict[str, Any] = self.cleaned_data
        if "common" in data:
            try:
                data["fault"] = faults.parse_fault(data["text"] or data["common"])
            except faults.InvalidFault as error:
                self.add_error("text", str(error))
        return data


@admin.register(SimulatedFault)
class SimulatedFaultAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A single page instead of a change list."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return request.user.has_perm("alguna_sandbox.change_record")

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def get_urls(self) -> list[URLPattern]:
        # Only the URL of the list: records contain sessions, so there are no pages for single records.
        view = self.admin_site.admin_view(debug_only(self.fault_view))
        return [path("", view, name="alguna_sandbox_simulatedfault_changelist")]

    def fault_view(self, request: HttpRequest) -> HttpResponse:
        """Show the current fault; on POST, set or clear it."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        form = SimulatedFaultForm(request.POST if request.method == "POST" and "clear" not in request.POST else None)
        if form.is_valid() or "clear" in request.POST:
            with write_state() as state:
                faults.set_fault(state, form.cleaned_data["fault"] if form.is_bound else faults.Fault())
            self.message_user(request, "The simulated faults have changed.", messages.SUCCESS)
            return redirect(request.path)
        context = {
            **self.admin_site.each_context(request),
            "title": "Simulated faults of the Alguna sandbox",
            "opts": self.model._meta,
            "form": form,
            "fault": str(faults.get_fault(get_state())),
        }
        request.current_app = self.admin_site.name
        return render(request, "admin/alguna_sandbox/faults.html", context)
