"""What the weather makes of messages."""

import pytest

from alguna_portal.sandbox.engine import faults
from alguna_portal.sandbox.engine.faults import DeliveryFault
from alguna_portal.sandbox.engine.types import new_state
from tests.sandbox.conftest import HEADERS, Alguna


def drawn(text: str, count: int = 200) -> list[DeliveryFault]:
    """Return the fates of so many messages."""
    state = new_state()
    faults.set_fault(state, faults.parse_fault(text))
    return [faults.take_delivery_fault(state) for _ in range(count)]


def test_on_a_good_day_a_message_is_sent_once_and_at_once() -> None:
    """Weather that is for requests or sessions alone is no other, and nothing is written for it."""
    state = new_state()
    assert faults.take_delivery_fault(state) == DeliveryFault(delays=(0.0,), is_held=False)
    assert not state["faults"]
    faults.set_fault(state, faults.parse_fault("status=503; times=1; single-use=browser"))
    assert faults.take_delivery_fault(state) == DeliveryFault()
    assert faults.get_fault(state).parts["times"] == "1"


def test_what_is_certain_happens_to_every_message() -> None:
    """Loss before all others."""
    assert all(fault.delays == () for fault in drawn("webhook-loss=1; webhook-duplicate=1"))
    assert all(len(fault.delays) == 2 for fault in drawn("webhook-duplicate=1"))
    assert all(fault.is_held for fault in drawn("webhook-reorder=1"))
    assert all(fault == DeliveryFault(delays=[0.0]) for fault in drawn("webhook-loss=0; webhook-delay=0"))


def test_half_of_the_duplicates_come_at_the_same_moment() -> None:
    """The others a little later, as after a time-out."""
    gaps = [fault.delays[1] - fault.delays[0] for fault in drawn("webhook-duplicate=1; webhook-seed=1")]
    assert 60 < gaps.count(0) < 140
    assert all(0 <= gap <= faults.MAX_DUPLICATE_DELAY for gap in gaps)


def test_messages_are_late_by_up_to_the_delay() -> None:
    """Not all by the same time, so that some overtake others."""
    delays = [fault.delays[0] for fault in drawn("webhook-delay=5; webhook-seed=1")]
    assert 0 <= min(delays) < 1
    assert 4 < max(delays) <= 5


@pytest.mark.parametrize("part", faults.PROBABILITIES)
def test_a_probability_is_one(part: str) -> None:
    """Three in ten, for each part by itself."""
    met = [fault for fault in drawn(f"{part}=0.3; webhook-seed=1") if len(fault.delays) != 1 or fault.is_held]
    assert 40 < len(met) < 80


def test_with_a_seed_the_same_happens_again() -> None:
    """Whatever requests meet in between; under another seed, or none, something else happens."""
    text = "webhook-loss=0.2; webhook-duplicate=0.3; webhook-delay=5; webhook-reorder=0.3"
    assert drawn(f"{text}; webhook-seed=7") == drawn(f"{text}; webhook-seed=7")
    assert drawn(f"{text}; webhook-seed=7") != drawn(f"{text}; webhook-seed=8")
    assert drawn(text) != drawn(text)


def test_a_request_that_meets_the_weather_does_not_begin_the_seed_anew(alguna: Alguna) -> None:
    """The count of messages outlives that of requests."""
    text = "webhook-delay=5; webhook-seed=7"
    faults.set_fault(alguna.state, faults.parse_fault(f"{text}; status=503; times=1"))
    first = faults.take_delivery_fault(alguna.state)
    assert alguna.ask("GET", "/customers", headers=HEADERS).status == 503
    assert str(faults.get_fault(alguna.state)) == text
    assert [first, faults.take_delivery_fault(alguna.state)] == drawn(text, 2)


def test_counted_weather_passes_and_leaves_the_rest() -> None:
    """So many messages, then good days again; what is for requests stays."""
    state = new_state()
    faults.set_fault(state, faults.parse_fault("webhook-loss=1; webhook-times=2; webhook-seed=1; status=503"))
    assert [faults.take_delivery_fault(state).delays for _ in "123"] == [(), (), (0.0,)]
    assert str(faults.get_fault(state)) == "status=503"
