"""Sessions under load and through trouble, from several processes, on every cache that processes share."""

import os
import signal
import time

import pytest

from tests.services.conftest import Alguna, Shared, Site, run_python

pytestmark = pytest.mark.services

PROCESSES, THREADS = 3, 6


def test_simultaneous_clicks_from_many_processes_are_one_call(site: Site) -> None:
    """Three processes with six threads each, four customers in turn: four calls, and one URL for each."""
    site.start(PROCESSES, threads=THREADS, rounds=4, every=0.7)
    said = site.said()
    assert len(said) == 4 * PROCESSES * THREADS
    for number in range(4):
        urls = {outcome for when, outcome in said if when == number}
        assert len(urls) == 1
        assert urls.pop().startswith("https://")
    assert len(site.alguna.calls) == 4


def test_a_failure_is_that_of_all_processes(site: Site) -> None:
    """Alguna is asked once, and everybody hears of it."""
    site.alguna.status = 403
    site.alguna.seconds = 0.4
    site.start(PROCESSES, threads=THREADS)
    assert {outcome for _, outcome in site.said()} == {"AuthenticationFailed"}
    assert len(site.alguna.calls) == 1


def test_all_processes_learn_that_alguna_is_down(site: Site) -> None:
    """A failure a round adds up across processes, and after the fifth none of them asks."""
    site.alguna.status = 503
    site.alguna.seconds = 0
    site.start(PROCESSES, threads=1, rounds=8, every=0.3)
    said = [outcome for _, outcome in site.said()]
    assert said.count("BreakerOpen") >= 6
    # Several may be on their way when the fifth fails.
    assert 5 <= len(site.alguna.calls) <= 5 + PROCESSES


def test_a_process_killed_while_it_holds_the_lock_costs_one_lock_life(site: Site) -> None:
    """The others wait for it, then one of them asks, and all are served within their budget."""
    site.settings = {"ALGUNA_PORTAL_TIME_BUDGET": 4}
    site.alguna.seconds = 1.5
    site.start(1, threads=1, delay=2)
    while not site.alguna.calls:
        time.sleep(0.01)
    site.alguna.seconds = 0.05
    victim = site.processes.pop()
    os.kill(victim.pid, signal.SIGKILL)
    victim.communicate()
    alias = site.alguna.calls[0].rpartition("-")[0]
    survivors = Site(shared=site.shared, alguna=site.alguna, settings=site.settings, processes=site.processes)
    survivors.start(2, threads=3, delay=0.7, alias=alias)
    said = survivors.said()
    assert {outcome for _, outcome in said} == {"https://portal.alguna.io/hs/2"}
    assert len(said) == 6


def test_a_cache_that_stops_costs_the_caching(redis: Shared, alguna: Alguna) -> None:
    """Redis goes away while a call to Alguna is under way; this click and the next end in the portal."""
    site = Site(shared=redis, alguna=alguna)
    alguna.seconds = 0.7
    site.start(1, threads=1, rounds=2, every=1.5)
    while not alguna.calls:
        time.sleep(0.01)
    assert redis.stop
    redis.stop()
    assert [outcome for _, outcome in site.said()] == [f"https://portal.alguna.io/hs/{number}" for number in (1, 2)]


def test_a_database_cache_that_fails_leaves_the_hosts_transaction_whole(postgres: Shared, alguna: Alguna) -> None:
    """PostgreSQL refuses everything after an error in a transaction; the host's rows must not go with it."""
    code = """
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection, transaction
from django.conf import settings
from alguna_portal.models import Customer
from alguna_portal.sessions import open_session
settings.CACHES["default"]["LOCATION"] = "no_such_table"
with connection.cursor() as cursor:
    cursor.execute("CREATE TEMPORARY TABLE host (id integer)")
    with transaction.atomic():
        cursor.execute("INSERT INTO host VALUES (1)")
        print(open_session(Customer(alias="a")).url)
    cursor.execute("SELECT count(*) FROM host")
    print(cursor.fetchone()[0])
"""
    assert run_python(postgres, code, api_url=alguna.url).split() == ["https://portal.alguna.io/hs/1", "1"]
