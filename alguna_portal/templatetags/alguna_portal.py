"""Template tags `{% billing_button %}` and `{% billing_url %}`, rendered for users who may open a portal.

They make no HTTP call and at most one query per page. They need `request` in the context, for example from Django's
`context_processors.request`; without it they render nothing.
"""

import re
from typing import Any, cast
from urllib.parse import urlencode

from django import template
from django.forms.utils import flatatt
from django.template.base import FilterExpression, NodeList, Parser, Token, TokenType
from django.template.context import Context
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from alguna_portal.access import get_access, get_accesses, get_choice
from alguna_portal.models import Customer

register = template.Library()

ANY = object()
TAG, END = "billing_button", "endbilling_button"


@register.simple_tag(takes_context=True)
def billing_url(context: Context, customer: object = ANY) -> str:
    """Return the URL of the billing view, for one customer if given; "" if the user may not open it.

    If `customer` isn't a `Customer`, for example because the variable is missing, the result is "".

    `{% billing_url as url %}{% if url %}…{% endif %}`
    """
    request = context.get("request")
    if request is None:
        return ""
    if customer is ANY:
        return reverse("alguna_portal:billing") if get_accesses(request) else ""
    if not isinstance(customer, Customer) or not get_access(request, get_choice(customer)):
        return ""
    return f"{reverse('alguna_portal:billing')}?{urlencode({'customer': get_choice(customer)})}"


@register.tag(TAG)
def billing_button(parser: Parser, token: Token) -> "BillingButton":
    """Render a link to the billing view.

    `{% billing_button "Invoices" class="btn" data-turbo="false" %}`: first the label, then HTML attributes, with
    underscores or hyphens in their names. `customer=` selects one of several customers. With your own content:
    `{% billing_button class="btn" %}<svg>…</svg> Billing{% endbilling_button %}`.
    """
    _, *bits = token.split_contents()
    arguments: dict[str, FilterExpression] = {}
    for bit in bits:
        name, equals, value = bit.partition("=")
        if equals and re.fullmatch(r"[\w-]+", name):
            arguments[name.replace("_", "-")] = parser.compile_filter(value)
        elif not arguments:
            arguments["label"] = parser.compile_filter(bit)
        else:
            raise template.TemplateSyntaxError(f"{{% {TAG} %}} takes a label, then name=value; “{bit}” is neither.")
    content = None
    if _is_block(parser):
        content = parser.parse((END,))
        parser.delete_first_token()
    return BillingButton(arguments, content)


class BillingButton(template.Node):
    """The node of `{% billing_button %}`, with a label or a block as content."""

    child_nodelists = ("content",)  # Django looks for `{% block %}` in these

    def __init__(self, arguments: dict[str, FilterExpression], content: NodeList | None) -> None:
        self.arguments = arguments
        self.content = content

    def render(self, context: Context) -> SafeString:
        values: dict[str, Any] = {name: value.resolve(context) for name, value in self.arguments.items()}
        url = billing_url(context, values.pop("customer", ANY))
        if not url:
            return SafeString("")
        label = values.pop("label", "") or _("Billing")
        attributes = {"class": "alguna-portal-button", "rel": "nofollow"}
        content = self.content.render(context) if self.content is not None else label
        return format_html("<a{}>{}</a>", flatatt(attributes | values | {"href": url}), content)


def _is_block(parser: Parser) -> bool:
    """Return whether the next of these tags is an end tag: then this one has content."""
    # The parser keeps the remaining tokens in reverse order.
    ahead = reversed(cast("list[Token]", parser.tokens))
    names = (token.contents.split(maxsplit=1)[:1] for token in ahead if token.token_type is TokenType.BLOCK)
    return next((name for name in names if name in ([TAG], [END])), [TAG]) == [END]
