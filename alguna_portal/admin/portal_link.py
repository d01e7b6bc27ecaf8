"""Links that were mailed: what each is worth, to be seen at a glance, revoked or sent again, and changed by nobody."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from alguna_portal.links import SendResult, send_again
from alguna_portal.models import PortalLink

from . import actions
from .actions import Message, author, note
from .base import PagesAdmin, RecordsAdmin, company, person
from .filters import CustomerFilter, StateFilter
from .send_portal_links import problem

# --- from alguna_portal.admin.link_actions

if TYPE_CHECKING:

    class PortalLinkAdminBase(PagesAdmin, admin.ModelAdmin[PortalLink]): ...

else:
    PortalLinkAdminBase = PagesAdmin

Act = Callable[[QuerySet[PortalLink]], None]


class LinkActionsAdmin(PortalLinkAdminBase):
    """The actions, and the buttons that one link has for them."""

    actions = ["revoke", "send_again"]
    committing_actions = frozenset({"revoke", "send_again"})

    def get_urls(self) -> list[URLPattern]:
        """Add what the buttons of a link's page post to."""
        doors = [self._door("revoke", self.revoke_one), self._door("send_again", self.send_one)]
        return [*doors, *super().get_urls()]

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Say whether a user may make links worthless."""
        return request.user.has_perm("alguna_portal.revoke_portallink")

    def has_send_permission(self, request: HttpRequest) -> bool:
        """Say whether a user may send links."""
        return request.user.has_perm("alguna_portal.send_portallink")

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Offer what can be done with a link above what there is to read."""
        link = context["original"]
        context["alguna_buttons"] = []
        if self.has_revoke_permission(request) and link.revoked_at is None:
            context["alguna_buttons"].append((self.door_of("revoke", link), gettext("Revoke")))
        if self.has_send_permission(request):
            context["alguna_buttons"].append((self.door_of("send_again", link), gettext("Send again")))
        return super().render_change_form(request, context, *args, **kwargs)

    # Not asked about first: it has to be quick when a link went astray, and a new one is sent as quickly.
    @admin.action(permissions=["revoke"], description=_("Revoke"))
    def revoke(self, request: HttpRequest, links: QuerySet[PortalLink]) -> None:
        """Make links worthless, note it in their histories, and tell."""
        visible = self._visible(request, links)
        standing = [link for link in visible if link.revoked_at is None]
        tried: list[PortalLink] = []
        try:
            for link in standing:
                link.revoke()
                tried.append(link)
        finally:
            # Whatever happens: of what was revoked by then, this is the only report.
            revoked = [link for link in tried if link.revoked_at]
            note(request, revoked, gettext("Revoked."))
            counts = (len(revoked), len(visible) - len(standing), len(tried) - len(revoked), len(standing) - len(tried))
            for level, text in _of_revoking(*counts):
                self.message_user(request, text, level)

    @admin.action(permissions=["send"], description=_("Send again, as new links"))
    def send_again(self, request: HttpRequest, links: QuerySet[PortalLink]) -> None:
        """Mail a new link to the recipient of each; but who was locked out is let in again only one by one."""
        visible = self._visible(request, links)
        if count := sum(link.revoked_at is not None for link in visible):
            text = ngettext(
                "%(count)d revoked link was left out: open it to send it again.",
                "%(count)d revoked links were left out: open one to send it again.",
                count,
            )
            self.message_user(request, text % {"count": count}, messages.WARNING)
        self._send_again(request, [link for link in visible if link.revoked_at is None])

    def revoke_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Revoke one link, from its page."""
        if not self.has_revoke_permission(request):
            raise PermissionDenied
        return self._do_with_one(request, object_id, lambda links: self.revoke(request, links))

    def send_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Send one link again, from its page."""
        if not self.has_send_permission(request):
            raise PermissionDenied
        return self._do_with_one(
            request, object_id, lambda links: self._send_again(request, self._visible(request, links))
        )

    def _send_again(self, request: HttpRequest, links: Sequence[PortalLink]) -> None:
        """Mail new links, note it in the histories, and tell. The earlier ones stay what they are."""
        if trouble := problem():
            self.message_user(request, trouble, messages.ERROR)
            return
        posted = SendResult()
        try:
            send_again(links, sent_by=author(request), within=actions.START_SECONDS, result=posted)
        except BaseException:
            level, text = actions.broken_off(len(links), posted)
            self.message_user(request, text, level)
            raise
        finally:
            # Whatever happens: of what was mailed by then, this is the only report.
            note(request, [link.customer for link in posted.sent], actions.noted())
            note(request, _earlier(links, posted.sent), gettext("Sent again, as a new link."))
            self._tell(request, posted)

    def _tell(self, request: HttpRequest, posted: SendResult) -> None:
        if count := len(posted.sent):
            level, text = actions.sent(count)
            self.message_user(request, text, level)
            stays = ngettext(
                "A new link, to the same recipient: the earlier one stays what it is.",
                "New links, to the same recipients: the earlier ones stay what they are.",
                count,
            )
            self.message_user(request, stays, messages.INFO)
        for level, text in actions.left_out(posted, [], self.page_of):
            self.message_user(request, text, level)

    def _do_with_one(self, request: HttpRequest, object_id: str, act: Act) -> HttpResponse:
        link = self._row(request, object_id, lambda link: self.has_view_permission(request, link))
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        act(self.get_queryset(request).filter(pk=link.pk))
        return HttpResponseRedirect(self.page_of(link))

    def _visible(self, request: HttpRequest, links: QuerySet[PortalLink]) -> list[PortalLink]:
        return [link for link in links if self.has_view_permission(request, link)]


def _of_revoking(revoked: int, already: int, gone: int, left: int) -> Iterator[Message]:
    """Tell what became of links that were to be revoked; some are `left` where an error ended it."""
    if left:
        text = ngettext(
            "An unexpected error ended it: %(count)d portal link was not revoked, as far as is known.",
            "An unexpected error ended it: %(count)d portal links were not revoked, as far as is known.",
            left,
        )
        yield messages.ERROR, text % {"count": left}
    if revoked:
        text = ngettext("%(count)d portal link revoked.", "%(count)d portal links revoked.", revoked)
        yield messages.SUCCESS, text % {"count": revoked}
    if already:
        text = ngettext("%(count)d link was revoked already.", "%(count)d links were revoked already.", already)
        yield messages.INFO, text % {"count": already}
    if gone:
        text = ngettext("%(count)d link was deleted meanwhile.", "%(count)d links were deleted meanwhile.", gone)
        yield messages.INFO, text % {"count": gone}


def _earlier(links: Sequence[PortalLink], sent: Sequence[PortalLink]) -> list[PortalLink]:
    """Find those in whose place others were sent, as many of those that are alike."""
    unnoted = Counter(map(_likeness, sent))
    earlier = []
    for link in links:
        if unnoted[_likeness(link)]:
            unnoted[_likeness(link)] -= 1
            earlier.append(link)
    return earlier


def _likeness(link: PortalLink) -> tuple[int, str, str, str]:
    return link.customer_id, link.recipient, link.role, link.note


@admin.register(PortalLink)
class PortalLinkAdmin(RecordsAdmin, LinkActionsAdmin):
    """Mailed links, without what would open a portal."""

    list_display = ["created_at", "worth", "customer_name", "masked_recipient", "role", "used", "expires_at", "sender"]
    list_filter = [StateFilter, "role", CustomerFilter]
    date_hierarchy = "created_at"
    search_fields = ["customer__name", "customer__alias", "=recipient"]
    search_help_text = _("Search by a customer's name or alias, or by a recipient's whole address.")
    show_full_result_count = False
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

    def get_queryset(self, request: HttpRequest) -> QuerySet[PortalLink]:
        """Read customers and senders along: one query, however many rows."""
        return super().get_queryset(request).select_related("customer", "sent_by")

    @admin.display(description=_("customer"), ordering="customer__name")
    def customer_name(self, link: PortalLink) -> SafeString | str:
        """Name the customer, and lead to its page, where this admin has one."""
        name = company(link.customer)
        url = self.page_of(link.customer)
        return format_html('<a href="{}">{}</a>', url, name) if url else name

    @admin.display(description=_("recipient"))
    def masked_recipient(self, link: PortalLink) -> str:
        """Show as much of the address as those need who know it."""
        return link.masked_recipient

    @admin.display(description=pgettext_lazy("of a link", "state"))
    def worth(self, link: PortalLink) -> SafeString:
        """Show the state as a label: a word, whose colour says the same once more; and what a mail failed of."""
        state = link.state
        label = format_html('<span class="alguna-portal-state alguna-portal-{}">{}</span>', state.value, state.label)
        return format_html("{} {}", label, link.failure) if state is PortalLink.State.FAILED else label

    @admin.display(description=_("uses"), ordering="uses")
    def used(self, link: PortalLink) -> str:
        """Say how often the link was used, and of how many times."""
        if link.max_uses is None:
            return str(link.uses)
        # Translators: how often a link was used, of how many times at most.
        return gettext("%(uses)d of %(most)d") % {"uses": link.uses, "most": link.max_uses}

    @admin.display(description=_("sent by"))
    def sender(self, link: PortalLink) -> str:
        """Name the sender; a renewal has none."""
        if link.renews_id and not link.sent_by_id:
            return gettext("asked for by the recipient")
        return person(link.sent_by, "") or "-"
