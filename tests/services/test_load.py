"""Sessions of several processes with each shared cache: load, failures and killed processes."""

import os
import signal
import time

import pytest

from tests.services.conftest import Alguna, Shared, Site, run_python

pytestmark = pytest.mark.services

PROCESSES, THREADS = 3, 6


def test_concurrent_clicks_in_many_processes_share_one_call(site: Site) -> None:
    site.start(PROCESSES, threads=THREADS, rounds=4, every=0.7)
    said = site.said()
    assert len(said) == 4 * PROCESSES * THREADS
    for number in range(4):
        urls = {outcome for when, outcome in said if when == number}
        assert len(urls) == 1
        assert urls.pop().startswith("https://")
    assert len(site.alguna.calls) == 4


def test_a_failure_is_shared_by_all_processes(site: Site) -> None:
    site.alguna.status = 403
    site.alguna.seconds = 0.4
    site.start(PROCESSES, threads=THREADS)
    assert {outcome for _, outcome in site.said()} == {"AuthenticationFailed"}
    assert len(site.alguna.calls) == 1


def test_all_processes_share_the_circuit_breaker(site: Site) -> None:
    site.alguna.status = 503
    site.alguna.seconds = 0
    site.start(PROCESSES, threads=1, rounds=8, every=0.3)
    said = [outcome for _, outcome in site.said()]
    assert said.count("BreakerOpen") >= 6
    # Some calls may have started before the fifth one failed.
    assert 5 <= len(site.alguna.calls) <= 5 + PROCESSES


def test_if_a_process_with_the_lock_is_killed_the_others_go_on(site: Site) -> None:
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


def test_clicks_work_if_the_cache_stops(redis: Shared, alguna: Alguna) -> None:
    site = Site(shared=redis, alguna=alguna)
    alguna.seconds = 0.7
    site.start(1, threads=1, rounds=2, every=1.5)
    while not alguna.calls:
        time.sleep(0.01)
    assert redis.stop
    redis.stop()
    assert [outcome for _, outcome in site.said()] == [f"https://portal.alguna.io/hs/{number}" for number in (1, 2)]


def test_a_failing_database_cache_does_not_break_the_transaction(postgres: Shared, alguna: Alguna) -> None:
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
