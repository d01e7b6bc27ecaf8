"""Simulated faults of webhook delivery."""

import pytest

from alguna_portal.sandbox.engine import faults
from alguna_portal.sandbox.engine.faults import DeliveryFault
from alguna_portal.sandbox.engine.types import new_state
from tests.sandbox.conftest import HEADERS, EngineClient


def draw_faults(text: str, count: int = 200) -> list[DeliveryFault]:
    """Return the faults of so many messages."""
    state = new_state()
    faults.set_fault(state, faults.parse_fault(text))
    return [faults.take_delivery_fault(state) for _ in range(count)]


def test_without_webhook_parts_a_message_is_sent_once() -> None:
    """Nothing is written to the state."""
    state = new_state()
    assert faults.take_delivery_fault(state) == DeliveryFault(delays=(0.0,), is_held=False)
    assert not state["faults"]
    faults.set_fault(state, faults.parse_fault("status=503; times=1; single-use=browser"))
    assert faults.take_delivery_fault(state) == DeliveryFault()
    assert faults.get_fault(state).parts["times"] == "1"


def test_probability_one_affects_every_message() -> None:
    """A lost message has no other faults."""
    assert all(fault.delays == () for fault in draw_faults("webhook-loss=1; webhook-duplicate=1"))
    assert all(len(fault.delays) == 2 for fault in draw_faults("webhook-duplicate=1"))
    assert all(fault.is_held for fault in draw_faults("webhook-reorder=1"))
    assert all(fault == DeliveryFault(delays=[0.0]) for fault in draw_faults("webhook-loss=0; webhook-delay=0"))


def test_half_of_the_duplicates_are_simultaneous() -> None:
    gaps = [fault.delays[1] - fault.delays[0] for fault in draw_faults("webhook-duplicate=1; webhook-seed=1")]
    assert 60 < gaps.count(0) < 140
    assert all(0 <= gap <= faults.MAX_DUPLICATE_DELAY for gap in gaps)


def test_delay_is_random_up_to_the_maximum() -> None:
    delays = [fault.delays[0] for fault in draw_faults("webhook-delay=5; webhook-seed=1")]
    assert 0 <= min(delays) < 1
    assert 4 < max(delays) <= 5


@pytest.mark.parametrize("part", faults.PROBABILITIES)
def test_probability_is_the_share_of_affected_messages(part: str) -> None:
    affected = [
        fault for fault in draw_faults(f"{part}=0.3; webhook-seed=1") if len(fault.delays) != 1 or fault.is_held
    ]
    assert 40 < len(affected) < 80


def test_seed_makes_faults_reproducible() -> None:
    text = "webhook-loss=0.2; webhook-duplicate=0.3; webhook-delay=5; webhook-reorder=0.3"
    assert draw_faults(f"{text}; webhook-seed=7") == draw_faults(f"{text}; webhook-seed=7")
    assert draw_faults(f"{text}; webhook-seed=7") != draw_faults(f"{text}; webhook-seed=8")
    assert draw_faults(text) != draw_faults(text)


def test_requests_do_not_reset_the_message_count(engine: EngineClient) -> None:
    text = "webhook-delay=5; webhook-seed=7"
    faults.set_fault(engine.state, faults.parse_fault(f"{text}; status=503; times=1"))
    first = faults.take_delivery_fault(engine.state)
    assert engine.request("GET", "/customers", headers=HEADERS).status == 503
    assert str(faults.get_fault(engine.state)) == text
    assert [first, faults.take_delivery_fault(engine.state)] == draw_faults(text, 2)


def test_webhook_times_limits_webhook_parts() -> None:
    """Parts for requests remain."""
    state = new_state()
    faults.set_fault(state, faults.parse_fault("webhook-loss=1; webhook-times=2; webhook-seed=1; status=503"))
    assert [faults.take_delivery_fault(state).delays for _ in "123"] == [(), (), (0.0,)]
    assert str(faults.get_fault(state)) == "status=503"
