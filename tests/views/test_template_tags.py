"""Template tags: rendered for users who may open a portal, and empty for others."""

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.template import Context, Engine, Template, TemplateSyntaxError
from django.test import RequestFactory
from pytest_django import DjangoAssertNumQueries

from alguna_portal.models import Customer, Membership


def render(source: str, user: Any, **context: Any) -> str:
    """Render a template for a user."""
    request = RequestFactory().get("/")
    request.user = user
    return Template("{% load alguna_portal %}" + source).render(Context({"request": request, **context}))


def test_members_see_a_link(manager: User) -> None:
    assert render("{% billing_button %}", manager) == (
        '<a class="alguna-portal-button" href="/billing/" rel="nofollow">Billing</a>'
    )
    assert render("{% billing_url %}", manager) == "/billing/"


@pytest.mark.parametrize("source", ["{% billing_button %}", "{% billing_url %}",
                                    "{% billing_button %}<b>x</b>{% endbilling_button %}"])  # fmt: skip
def test_other_users_see_nothing(source: str, non_member: User) -> None:
    """Neither anonymous users nor pages without a request."""
    assert render(source, non_member) == ""
    assert render(source, AnonymousUser()) == ""
    assert Template("{% load alguna_portal %}" + source).render(Context()) == ""


def test_label_and_attributes(manager: User) -> None:
    """Underscores become hyphens, true a bare attribute; false and none omit the attribute."""
    source = '{% billing_button label class=css data-turbo="false" x_y="1" hidden=yes title=no rel=None %}'
    assert render(source, manager, label="<Plan & bills>", css='btn "b"', yes=True, no=False) == (
        '<a class="btn &quot;b&quot;" data-turbo="false" href="/billing/" x-y="1" hidden>&lt;Plan &amp; bills&gt;</a>'
    )
    assert ">Plan</a>" in render('{% billing_button label="Plan" %}', manager)
    assert ">Plan</a>" in render('{% billing_button "Plan" %}', manager)


def test_block_content_replaces_the_label(manager: User) -> None:
    block = '{% billing_button class="b" %}<i>{{ name }}</i>{% endbilling_button %}'
    source = "{% billing_button %} " + block + "{% if 1 %}!{% endif %}"
    assert render(source, manager, name="<x>") == (
        '<a class="alguna-portal-button" href="/billing/" rel="nofollow">Billing</a> '
        '<a class="b" href="/billing/" rel="nofollow"><i>&lt;x&gt;</i></a>!'
    )


def test_href_cannot_be_replaced(manager: User) -> None:
    assert 'href="/billing/"' in render('{% billing_button href="https://evil.example" %}', manager)


def test_a_button_for_one_of_several_customers(manager: User, acme: Customer, umbrella: Customer) -> None:
    assert render("{% billing_button customer=c %}", manager, c=umbrella) == ""
    Membership.objects.create(user=manager, customer=umbrella)
    assert f'href="/billing/?customer={umbrella.pk}"' in render("{% billing_button customer=c %}", manager, c=umbrella)
    assert render("{% billing_url c %}", manager, c=acme) == f"/billing/?customer={acme.pk}"
    assert (
        render("{% billing_url customer=c as url %}[{{ url }}]", manager, c=acme) == f"[/billing/?customer={acme.pk}]"
    )


@pytest.mark.parametrize("source", ["{% billing_button customer=c %}", "{% billing_url c %}"])
@pytest.mark.parametrize("named", [{}, {"c": None}, {"c": "acme-1"}, {"c": Customer(alias="not-mine")}])
def test_an_invalid_customer_renders_nothing(manager: User, source: str, named: dict[str, object]) -> None:
    """For example, a missing variable."""
    assert render(source, manager, **named) == ""


def test_empty_tags_are_reported_by_django(manager: User) -> None:
    with pytest.raises(TemplateSyntaxError, match="Empty block tag"):
        render("{% billing_button %}{% %}", manager)


def test_many_buttons_cost_one_query(manager: User, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    source = "{% billing_button %}{% billing_url %}{% billing_button %}x{% endbilling_button %}" * 3
    with django_assert_num_queries(1):
        render(source, manager)
    with django_assert_num_queries(0):
        render(source, AnonymousUser())


@pytest.mark.parametrize("source", ['{% billing_button "a" "b" %}', '{% billing_button class="a" "b" %}'])
def test_a_second_label_is_a_syntax_error(source: str, manager: User) -> None:
    with pytest.raises(TemplateSyntaxError, match='takes a label, then name=value; “"b"” is neither'):
        render(source, manager)


def test_blocks_in_the_content_can_be_overridden(manager: User) -> None:
    base = "{% load alguna_portal %}{% billing_button %}{% block label %}Base{% endblock %}{% endbilling_button %}"
    engine = Engine(
        loaders=[("django.template.loaders.locmem.Loader", {"base.html": base})],
        libraries={"alguna_portal": "alguna_portal.templatetags.alguna_portal"},
    )
    request = RequestFactory().get("/")
    request.user = manager
    child = engine.from_string('{% extends "base.html" %}{% block label %}{{ block.super }} plus{% endblock %}')
    assert ">Base plus</a>" in child.render(Context({"request": request}))
