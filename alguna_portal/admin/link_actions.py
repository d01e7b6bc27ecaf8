"""What can be done with mailed links: revoked or sent again, from their list or from the page of one."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from alguna_portal.links import Posted, send_again
from alguna_portal.models import PortalLink

from . import posting, telling
from .history import author, note
from .link_form import problem
from .pages import PagesAdmin
from .telling import Message

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
        posted = Posted()
        try:
            send_again(links, sent_by=author(request), within=telling.START_SECONDS, posted=posted)
        except BaseException:
            level, text = posting.broken_off(len(links), posted)
            self.message_user(request, text, level)
            raise
        finally:
            # Whatever happens: of what was mailed by then, this is the only report.
            note(request, [link.customer for link in posted.sent], posting.noted())
            note(request, _earlier(links, posted.sent), gettext("Sent again, as a new link."))
            self._tell(request, posted)

    def _tell(self, request: HttpRequest, posted: Posted) -> None:
        if count := len(posted.sent):
            level, text = posting.sent(count)
            self.message_user(request, text, level)
            stays = ngettext(
                "A new link, to the same recipient: the earlier one stays what it is.",
                "New links, to the same recipients: the earlier ones stay what they are.",
                count,
            )
            self.message_user(request, stays, messages.INFO)
        for level, text in posting.left_out(posted, [], self.page_of):
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
