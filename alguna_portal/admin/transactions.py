"""Pages that ask Alguna or send mail, kept out of ATOMIC_REQUESTS: what has been done elsewhere is stored at once.

In one transaction for the whole request, the rows of all customers would stay locked until the last one is done, and
an error at the end would take back the ids of customers that Alguna has by then, and links that have been mailed.
"""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern

from alguna_portal.transactions import committing

if TYPE_CHECKING:
    ModelAdminBase = admin.ModelAdmin[Any]
else:
    ModelAdminBase = admin.ModelAdmin


class CommittingAdmin(ModelAdminBase):
    """A list whose page runs outside of transactions for some of its actions, and for the rest as the host has it."""

    committing_actions: frozenset[str] = frozenset()

    def get_urls(self) -> list[URLPattern]:
        """Mark the list's page. Which action is meant is known only in it."""
        patterns = super().get_urls()
        for pattern in patterns:
            if pattern.name == f"{self.opts.app_label}_{self.opts.model_name}_changelist":
                committing(pattern.callback)
        return patterns

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Do in a transaction what is not one of these actions, where the host wants that of requests."""
        with ExitStack() as stack:
            if not self.committing_actions & set(request.POST.getlist("action")):
                for alias, database in connections.settings.items():
                    if database["ATOMIC_REQUESTS"]:
                        stack.enter_context(transaction.atomic(using=alias))
            return super().changelist_view(request, extra_context)
