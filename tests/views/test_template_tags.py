"""The tags: a way to Billing for those who may go there, and nothing for anybody else."""

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.template import Context, Engine, Template, TemplateSyntaxError
from django.test import RequestFactory
from pytest_django import DjangoAssertNumQueries

from alguna_portal.models import Customer, Membership


def render(source: str, user: Any, **context: Any) -> str:
    """Render a page of the user."""
    request = RequestFactory().get("/")
    request.user = user
    return Template("{% load alguna_portal %}" + source).render(Context({"request": request, **context}))


def test_a_member_sees_a_link_to_billing(manager: User) -> None:
    """Alone, it has a label, a class to style and no prefetching of robots."""
    assert render("{% billing_button %}", manager) == (
        '<a class="alguna-portal-button" href="/billing/" rel="nofollow">Billing</a>'
    )
    assert render("{% billing_url %}", manager) == "/billing/"


@pytest.mark.parametrize("source", ["{% billing_button %}", "{% billing_url %}",
                                    "{% billing_button %}<b>x</b>{% endbilling_button %}"])  # fmt: skip
def test_nobody_else_sees_anything(source: str, stranger: User) -> None:
    """Not a stranger, not a visitor, and no error on a page that has no request."""
    assert render(source, stranger) == ""
    assert render(source, AnonymousUser()) == ""
    assert Template("{% load alguna_portal %}" + source).render(Context()) == ""


def test_label_class_and_attributes_are_the_templates(manager: User) -> None:
    """An underscore stands for a hyphen, true for a bare attribute, false and none for no attribute."""
    source = '{% billing_button label class=css data-turbo="false" x_y="1" hidden=yes title=no rel=None %}'
    assert render(source, manager, label="<Plan & bills>", css='btn "b"', yes=True, no=False) == (
        '<a class="btn &quot;b&quot;" data-turbo="false" href="/billing/" x-y="1" hidden>&lt;Plan &amp; bills&gt;</a>'
    )
    assert ">Plan</a>" in render('{% billing_button label="Plan" %}', manager)
    assert ">Plan</a>" in render('{% billing_button "Plan" %}', manager)


def test_own_content_replaces_the_label(manager: User) -> None:
    """The block form holds any markup, and stands beside the short form on the same page."""
    block = '{% billing_button class="b" %}<i>{{ name }}</i>{% endbilling_button %}'
    source = "{% billing_button %} " + block + "{% if 1 %}!{% endif %}"
    assert render(source, manager, name="<x>") == (
        '<a class="alguna-portal-button" href="/billing/" rel="nofollow">Billing</a> '
        '<a class="b" href="/billing/" rel="nofollow"><i>&lt;x&gt;</i></a>!'
    )


def test_the_address_cannot_be_replaced(manager: User) -> None:
    """It is the one thing the tag is for."""
    assert 'href="/billing/"' in render('{% billing_button href="https://evil.example" %}', manager)


def test_a_button_can_be_for_one_of_several_companies(manager: User, acme: Customer, umbrella: Customer) -> None:
    """A company's own page leads past the chooser, and only members see it do so."""
    assert render("{% billing_button customer=c %}", manager, c=umbrella) == ""
    Membership.objects.create(user=manager, customer=umbrella)
    assert f'href="/billing/?customer={umbrella.pk}"' in render("{% billing_button customer=c %}", manager, c=umbrella)
    assert render("{% billing_url c %}", manager, c=acme) == f"/billing/?customer={acme.pk}"
    assert (
        render("{% billing_url customer=c as url %}[{{ url }}]", manager, c=acme) == f"[/billing/?customer={acme.pk}]"
    )


@pytest.mark.parametrize("source", ["{% billing_button customer=c %}", "{% billing_url c %}"])
@pytest.mark.parametrize("named", [{}, {"c": None}, {"c": "acme-1"}, {"c": Customer(alias="not-mine")}])
def test_what_is_named_and_is_no_customer_of_the_users_shows_nothing(
    manager: User, source: str, named: dict[str, object]
) -> None:
    """A variable that is not there does not become a button for another company."""
    assert render(source, manager, **named) == ""


def test_an_empty_tag_elsewhere_on_the_page_is_djangos_to_report(manager: User) -> None:
    """Looking ahead for the end of the block does not stumble over it."""
    with pytest.raises(TemplateSyntaxError, match="Empty block tag"):
        render("{% billing_button %}{% %}", manager)


def test_a_page_with_many_buttons_costs_one_query(
    manager: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """However often they are used; and for a visitor, none."""
    source = "{% billing_button %}{% billing_url %}{% billing_button %}x{% endbilling_button %}" * 3
    with django_assert_num_queries(1):
        render(source, manager)
    with django_assert_num_queries(0):
        render(source, AnonymousUser())


@pytest.mark.parametrize("source", ['{% billing_button "a" "b" %}', '{% billing_button class="a" "b" %}'])
def test_a_second_label_is_a_syntax_error(source: str, manager: User) -> None:
    """The error shows what is not understood."""
    with pytest.raises(TemplateSyntaxError, match='takes a label, then name=value; “"b"” is neither'):
        render(source, manager)


def test_blocks_in_its_content_are_extended_as_elsewhere(manager: User) -> None:
    """Django finds them by looking into it."""
    base = "{% load alguna_portal %}{% billing_button %}{% block label %}Base{% endblock %}{% endbilling_button %}"
    engine = Engine(
        loaders=[("django.template.loaders.locmem.Loader", {"base.html": base})],
        libraries={"alguna_portal": "alguna_portal.templatetags.alguna_portal"},
    )
    request = RequestFactory().get("/")
    request.user = manager
    child = engine.from_string('{% extends "base.html" %}{% block label %}{{ block.super }} plus{% endblock %}')
    assert ">Base plus</a>" in child.render(Context({"request": request}))
