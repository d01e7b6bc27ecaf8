"""The rate limiter and the common back-off of threads."""

import random
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Event

import pytest

from alguna_portal.bulk import rate_limiter
from alguna_portal.bulk.rate_limiter import Backoff, RateLimiter, RateLimiterClosed

REASON = "Alguna answered 503."


class Clock:
    """A clock that runs only during `sleep`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.on_request: Callable[[], object] = lambda: None

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.on_request()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limiter(clock: Clock) -> RateLimiter:
    """A limiter for 50 requests a second."""
    return RateLimiter(50, clock=clock, sleep=clock.sleep)


@pytest.fixture
def backoff(limiter: RateLimiter) -> Backoff:
    """A back-off without jitter."""
    return Backoff(limiter, jitter=lambda: 1.0)


def take_turns(limiter: RateLimiter, clock: Clock, number: int) -> list[float]:
    """Take so many turns, and return their times."""
    times = []
    for _ in range(number):
        limiter.turn()
        times.append(clock.now)
    return times


def get_most_within(times: list[float], seconds: float) -> int:
    """Return the largest number of turns in a window of so many seconds."""
    return max(sum(start <= each < start + seconds for each in times) for start in times)


def test_turns_are_evenly_spaced_and_close_to_the_rate(limiter: RateLimiter, clock: Clock) -> None:
    times = take_turns(limiter, clock, 201)
    assert get_most_within(times, 1) == 49
    assert 4.0 < times[-1] - times[0] < 4.2
    assert max(later - earlier for earlier, later in pairwise(times)) < 0.021


def test_unused_time_is_not_made_up_for(limiter: RateLimiter, clock: Clock) -> None:
    take_turns(limiter, clock, 1)
    clock.now += 10
    times = take_turns(limiter, clock, 5)
    assert min(later - earlier for earlier, later in pairwise(times)) > 0.02


def test_threads_that_wake_up_late_do_not_exceed_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """A late turn counts from its real time."""
    monkeypatch.setattr(rate_limiter, "WINDOW", 0.206)
    rng = random.Random(7)

    def oversleep(seconds: float) -> None:
        time.sleep(seconds + rng.random() * 0.1)

    times: list[float] = []

    class RecordedTurns(deque[float]):
        def append(self, time: float) -> None:
            super().append(time)
            times.append(time)

    limiter = RateLimiter(10, sleep=oversleep)
    limiter._turns = RecordedTurns(maxlen=10)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: limiter.turn(), range(60)))
    assert get_most_within(times, 0.2) <= 10
    assert get_most_within(times, 0.008) == 1


def test_a_pause_applies_to_scheduled_turns_and_ends_without_a_burst(limiter: RateLimiter, clock: Clock) -> None:
    assert limiter.turn() == 0
    began = clock.now

    def interfere() -> None:
        clock.on_request = lambda: None
        limiter.pause(3, new=True)

    clock.on_request = interfere
    assert limiter.turn() == 1
    assert 3.0 <= clock.now - began < 3.1
    times = [clock.now, *take_turns(limiter, clock, 3)]
    assert min(later - earlier for earlier, later in pairwise(times)) > 0.02


def test_a_pause_that_ended_during_sleep_is_followed_by_no_burst(limiter: RateLimiter, clock: Clock) -> None:
    limiter.turn()

    def interfere() -> None:
        clock.on_request = lambda: None
        limiter.pause(3, new=True)
        clock.now += 5

    clock.on_request = interfere
    assert limiter.turn() == 1
    times = [clock.now, *take_turns(limiter, clock, 1)]
    assert times[1] - times[0] > 0.02


def test_a_shorter_pause_does_not_end_a_longer_one(limiter: RateLimiter, clock: Clock) -> None:
    limiter.pause(3, new=True)
    limiter.pause(1, new=False)
    assert limiter.pause_left == 3
    limiter.pause(5, new=False)
    assert limiter.pause_left == 5
    assert limiter.pauses == 1
    clock.now += 6
    assert limiter.pause_left == 0


def test_a_closed_limiter_gives_turns_but_does_not_wait_in_pauses(limiter: RateLimiter, clock: Clock) -> None:
    limiter.close()
    limiter.turn()
    limiter.pause(60, new=True)
    began = clock.now
    with pytest.raises(RateLimiterClosed):
        limiter.turn()
    assert clock.now == began


def test_closing_ends_a_threads_wait_in_a_pause() -> None:
    limiter, sleeping = RateLimiter(50), Event()
    limiter.pause(60, new=True)

    def wait() -> float:
        sleeping.set()
        began = time.monotonic()
        with pytest.raises(RateLimiterClosed):
            limiter.turn()
        return time.monotonic() - began

    with ThreadPoolExecutor(1) as pool:
        waited = pool.submit(wait)
        sleeping.wait(5)
        limiter.close()
        assert waited.result(5) < 2


def test_rest_makes_one_thread_wait(limiter: RateLimiter, clock: Clock) -> None:
    began = clock.now
    limiter.rest(2)
    assert clock.now - began == pytest.approx(2)
    clock.on_request = limiter.close
    with pytest.raises(RateLimiterClosed):
        limiter.rest(2)
    assert clock.now - began < 3


def test_pauses_double_up_to_a_minute_until_a_success(backoff: Backoff, limiter: RateLimiter, clock: Clock) -> None:
    pauses = []
    for _ in range(8):
        turn = limiter.turn()
        pauses.append(backoff.pause(turn, None, REASON))
        assert limiter.pause_left == pauses[-1]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    backoff.reset()
    assert backoff.pause(limiter.turn(), None, REASON) == 1
    assert not limiter.closed


def test_half_of_a_pause_is_jitter(limiter: RateLimiter) -> None:
    assert Backoff(limiter, jitter=lambda: 0.0).pause(limiter.turn(), None, REASON) == 0.5


def test_retry_after_is_the_minimum(backoff: Backoff, limiter: RateLimiter) -> None:
    assert backoff.pause(limiter.turn(), 7.0, REASON) == 7
    assert backoff.pause(limiter.turn(), 0.0, REASON) == 2


def test_concurrent_failures_count_once(backoff: Backoff, limiter: RateLimiter) -> None:
    """The longest `Retry-After` counts."""
    turn = limiter.turn()
    assert backoff.pause(turn, None, REASON) == 1
    assert backoff.pause(turn, None, REASON) is None
    assert limiter.pause_left == 1
    assert backoff.pause(turn, 9.0, REASON) is None
    assert limiter.pause_left == 9
    assert backoff.pause(limiter.turn(), None, REASON) == 2


def test_after_eight_consecutive_pauses_the_limiter_is_closed(backoff: Backoff, limiter: RateLimiter) -> None:
    for _ in range(8):
        assert backoff.pause(limiter.turn(), None, REASON)
    assert not backoff.exhausted
    turn = limiter.turn()
    assert backoff.pause(turn, None, REASON) is None
    assert limiter.closed
    assert backoff.exhausted == f"Alguna was left alone 8 times in a row, and still cannot be had. {REASON}"
    assert backoff.pause(turn, 1000.0, "Another reason.") is None
    assert "8 times" in backoff.exhausted


def test_after_twenty_unexpected_responses_the_limiter_is_closed(backoff: Backoff, limiter: RateLimiter) -> None:
    for _ in range(19):
        backoff.count_unexpected(REASON)
    backoff.reset()
    for _ in range(19):
        backoff.count_unexpected(REASON)
    assert backoff.exhausted == ""
    for _ in range(21):
        backoff.count_unexpected(REASON)
    assert limiter.closed
    assert backoff.exhausted == f"20 answers in a row made no sense. {REASON}"


def test_a_long_retry_after_closes_the_limiter(backoff: Backoff, limiter: RateLimiter) -> None:
    assert backoff.pause(limiter.turn(), 300.0, REASON) == 300
    assert backoff.pause(0, 3600.0, REASON) is None
    assert limiter.closed
    assert backoff.exhausted == f"Alguna asks not to be called for 60 minutes. {REASON}"
