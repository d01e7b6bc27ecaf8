"""The admin of emailed portal links: read-only, with actions that revoke links or send them again."""

from collections.abc import Callable, Iterator
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from alguna_portal.links import send_again
from alguna_portal.models import PortalLink

from . import actions as admin_actions
from .base import Message, ReadOnlyAdmin, get_customer_name, get_user_name, render_link
from .filters import CustomerFilter, StateFilter
from .send_portal_links import find_settings_error


@admin.register(PortalLink)
class PortalLinkAdmin(ReadOnlyAdmin):
    """Emailed links, without the key that opens a portal."""

    list_display = ["created_at", "worth", "customer_name", "masked_recipient", "role", "used", "expires_at", "sender"]
    list_filter = [StateFilter, "role", CustomerFilter]
    date_hierarchy = "created_at"
    search_fields = ["customer__name", "customer__alias", "=recipient"]
    search_help_text = _("Search by a customer's name or alias, or by a recipient's whole address.")
    actions = ["revoke", "send_again"]
    non_atomic_actions = frozenset({"revoke", "send_again"})
    object_pages = ("revoke", "send_again")
    fields = (
        "customer_name",
        "masked_recipient",
        "role",
        "note",
        "worth",
        "used",
        "last_used_at",
        "sender",
        "created_at",
        "sent_at",
        "failure",
        "expires_at",
        "revoked_at",
        "renewable_until",
        "renewed_at",
    )
    readonly_fields = fields

    class Media:
        css = {"all": ["alguna_portal/admin.css"]}

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("alguna_portal.revoke_portallink")

    def has_send_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("alguna_portal.send_portallink")

    def get_queryset(self, request: HttpRequest) -> QuerySet[PortalLink]:
        return super().get_queryset(request).select_related("customer", "sent_by")

    @admin.display(description=_("customer"), ordering="customer__name")
    def customer_name(self, link: PortalLink) -> SafeString | str:
        return render_link(self.get_change_url(link.customer), get_customer_name(link.customer))

    @admin.display(description=_("recipient"))
    def masked_recipient(self, link: PortalLink) -> str:
        return link.masked_recipient

    @admin.display(description=pgettext_lazy("of a link", "state"))
    def worth(self, link: PortalLink) -> SafeString:
        """Show the state as a coloured label, and the error if the email failed."""
        state = link.state
        label = format_html('<span class="alguna-portal-state alguna-portal-{}">{}</span>', state.value, state.label)
        return format_html("{} {}", label, link.failure) if state is PortalLink.State.FAILED else label

    @admin.display(description=_("uses"), ordering="uses")
    def used(self, link: PortalLink) -> str:
        if link.max_uses is None:
            return str(link.uses)
        # Translators: how often a link was used, of how many times at most.
        return gettext("%(uses)d of %(most)d") % {"uses": link.uses, "most": link.max_uses}

    @admin.display(description=_("sent by"))
    def sender(self, link: PortalLink) -> str:
        """Show the sender, or that the recipient has requested a renewal."""
        if link.renews_id and not link.sent_by_id:
            return gettext("asked for by the recipient")
        return get_user_name(link.sent_by) or "-"

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        link, buttons = context["original"], []
        if self.has_revoke_permission(request) and link.revoked_at is None:
            buttons.append((self.get_object_page_url("revoke", link), gettext("Revoke")))
        if self.has_send_permission(request):
            buttons.append((self.get_object_page_url("send_again", link), gettext("Send again")))
        return super().render_change_form(request, context | {"alguna_buttons": buttons}, *args, **kwargs)

    # Without a confirmation page: a misdirected link has to be revoked quickly, and a new one is quickly sent.
    @admin.action(permissions=["revoke"], description=_("Revoke"))
    def revoke(self, request: HttpRequest, links: QuerySet[PortalLink]) -> None:
        visible = self._get_visible(request, links)
        valid = [link for link in visible if link.revoked_at is None]
        tried: list[PortalLink] = []
        try:
            for link in valid:
                link.revoke()
                tried.append(link)
        finally:
            # If an unexpected error ends the loop, this is the only report of what was revoked before.
            revoked = [link for link in tried if link.revoked_at]
            admin_actions.log_change(request, revoked, gettext("Revoked."))
            self.show_messages(request, _get_revoke_messages(len(visible), len(valid), len(tried), len(revoked)))

    def revoke_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._run_for_one(request, object_id, self.has_revoke_permission, self.revoke)

    @admin.action(permissions=["send"], description=_("Send again, as new links"))
    def send_again(self, request: HttpRequest, links: QuerySet[PortalLink]) -> None:
        """Send a new link to the recipient of each; revoked links are only sent again from their own page."""
        visible = self._get_visible(request, links)
        if count := sum(link.revoked_at is not None for link in visible):
            text = ngettext(
                "%(count)d revoked link was left out: open it to send it again.",
                "%(count)d revoked links were left out: open one to send it again.",
                count,
            )
            self.message_user(request, text % {"count": count}, messages.WARNING)
        self._send_again(request, [link for link in visible if link.revoked_at is None])

    def send_again_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Send one link again, even if it's revoked."""
        return self._run_for_one(request, object_id, self.has_send_permission, self._send_again)

    def _send_again(self, request: HttpRequest, links: Any) -> None:
        """Send new links, then update histories and show messages. The original links stay valid."""
        if error := find_settings_error():
            self.message_user(request, error, messages.ERROR)
            return
        with admin_actions.report_sent_links(self, request, len(links), originals=links) as result:
            sent_by: Any = request.user
            send_again(links, sent_by=sent_by, within=admin_actions.START_SECONDS, result=result)

    def _run_for_one(
        self,
        request: HttpRequest,
        object_id: str,
        has_permission: Callable[[HttpRequest], bool],
        action: Callable[[HttpRequest, QuerySet[PortalLink]], None],
    ) -> HttpResponse:
        """Run an action for one link, and redirect to its change page."""
        if not has_permission(request):
            raise PermissionDenied
        link = self.get_permitted_object(request, object_id, self.has_view_permission)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        action(request, self.get_queryset(request).filter(pk=link.pk))
        return HttpResponseRedirect(self.get_change_url(link))

    def _get_visible(self, request: HttpRequest, links: QuerySet[PortalLink]) -> list[PortalLink]:
        return [link for link in links if self.has_view_permission(request, link)]


def _get_revoke_messages(visible: int, valid: int, tried: int, revoked: int) -> Iterator[Message]:
    """Report how many links were revoked. Valid links that weren't tried were left by an unexpected error."""
    if failed := valid - tried:
        text = ngettext(
            "An unexpected error ended it: %(count)d portal link was not revoked, as far as is known.",
            "An unexpected error ended it: %(count)d portal links were not revoked, as far as is known.",
            failed,
        )
        yield messages.ERROR, text % {"count": failed}
    if revoked:
        text = ngettext("%(count)d portal link revoked.", "%(count)d portal links revoked.", revoked)
        yield messages.SUCCESS, text % {"count": revoked}
    if already := visible - valid:
        text = ngettext("%(count)d link was revoked already.", "%(count)d links were revoked already.", already)
        yield messages.INFO, text % {"count": already}
    if deleted := tried - revoked:
        text = ngettext("%(count)d link was deleted meanwhile.", "%(count)d links were deleted meanwhile.", deleted)
        yield messages.INFO, text % {"count": deleted}
