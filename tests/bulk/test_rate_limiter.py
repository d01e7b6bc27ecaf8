"""The pace that many threads keep together, and their backoff: never above the rate, and silent together."""

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
    """A clock that runs only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.meanwhile: Callable[[], object] = lambda: None

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.meanwhile()


@pytest.fixture
def clock() -> Clock:
    """The clock of a pace."""
    return Clock()


@pytest.fixture
def limiter(clock: Clock) -> RateLimiter:
    """Fifty turns a second."""
    return RateLimiter(50, clock=clock, sleep=clock.sleep)


@pytest.fixture
def backoff(limiter: RateLimiter) -> Backoff:
    """Backoff without chance."""
    return Backoff(limiter, jitter=lambda: 1.0)


def turns(limiter: RateLimiter, clock: Clock, number: int) -> list[float]:
    """Take so many turns; return when they were."""
    times = []
    for _ in range(number):
        limiter.turn()
        times.append(clock.now)
    return times


def most_within(times: list[float], seconds: float) -> int:
    """Count the most turns in any window that is so long."""
    return max(sum(start <= each < start + seconds for each in times) for start in times)


def test_turns_come_evenly_and_hardly_below_the_rate(limiter: RateLimiter, clock: Clock) -> None:
    """Two hundred at fifty a second take four seconds, and not more than a twentieth longer."""
    times = turns(limiter, clock, 201)
    assert most_within(times, 1) == 49
    assert 4.0 < times[-1] - times[0] < 4.2
    assert max(later - earlier for earlier, later in pairwise(times)) < 0.021


def test_what_nobody_used_is_not_made_up_for(limiter: RateLimiter, clock: Clock) -> None:
    """After ten idle seconds, turns come one by one as before."""
    turns(limiter, clock, 1)
    clock.now += 10
    times = turns(limiter, clock, 5)
    assert min(later - earlier for earlier, later in pairwise(times)) > 0.02


def test_threads_that_wake_up_late_do_not_exceed_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn that was late counts from when it was, whatever was planned."""
    monkeypatch.setattr(rate_limiter, "WINDOW", 0.206)
    chance = random.Random(7)

    def oversleep(seconds: float) -> None:
        time.sleep(seconds + chance.random() * 0.1)

    times: list[float] = []

    class Kept(deque[float]):
        """What the pace goes by, and not when a thread was next allowed to look at the clock."""

        def append(self, time: float) -> None:
            super().append(time)
            times.append(time)

    limiter = RateLimiter(10, sleep=oversleep)
    limiter._turns = Kept(maxlen=10)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: limiter.turn(), range(60)))
    assert most_within(times, 0.2) <= 10
    assert most_within(times, 0.008) == 1


def test_a_pause_is_everybodys_and_ends_without_a_rush(limiter: RateLimiter, clock: Clock) -> None:
    """Also those who had their turn planned already wait, and then come one by one."""
    assert limiter.turn() == 0
    began = clock.now

    def interfere() -> None:
        clock.meanwhile = lambda: None
        limiter.pause(3, new=True)

    clock.meanwhile = interfere
    assert limiter.turn() == 1
    assert 3.0 <= clock.now - began < 3.1
    times = [clock.now, *turns(limiter, clock, 3)]
    assert min(later - earlier for earlier, later in pairwise(times)) > 0.02


def test_a_pause_that_is_slept_through_ends_without_a_rush(limiter: RateLimiter, clock: Clock) -> None:
    """Who wakes up after it plans anew, too."""
    limiter.turn()

    def interfere() -> None:
        clock.meanwhile = lambda: None
        limiter.pause(3, new=True)
        clock.now += 5

    clock.meanwhile = interfere
    assert limiter.turn() == 1
    times = [clock.now, *turns(limiter, clock, 1)]
    assert times[1] - times[0] > 0.02


def test_a_shorter_pause_does_not_end_a_longer_one(limiter: RateLimiter, clock: Clock) -> None:
    """The longest counts."""
    limiter.pause(3, new=True)
    limiter.pause(1, new=False)
    assert limiter.pause_left == 3
    limiter.pause(5, new=False)
    assert limiter.pause_left == 5
    assert limiter.pauses == 1
    clock.now += 6
    assert limiter.pause_left == 0


def test_a_closed_pace_gives_turns_but_waits_for_no_pause(limiter: RateLimiter, clock: Clock) -> None:
    """So what is under way can be finished, and nobody is kept."""
    limiter.close()
    limiter.turn()
    limiter.pause(60, new=True)
    began = clock.now
    with pytest.raises(RateLimiterClosed):
        limiter.turn()
    assert clock.now == began


def test_a_pause_is_turns_up_soon_after_the_pace_is_closed() -> None:
    """By a thread that sleeps at that moment."""
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


def test_one_can_rest_alone(limiter: RateLimiter, clock: Clock) -> None:
    """For as long as it takes, unless the pace is closed meanwhile."""
    began = clock.now
    limiter.rest(2)
    assert clock.now - began == pytest.approx(2)
    clock.meanwhile = limiter.close
    with pytest.raises(RateLimiterClosed):
        limiter.rest(2)
    assert clock.now - began < 3


def test_pauses_double_up_to_a_minute_until_there_is_a_success(
    backoff: Backoff, limiter: RateLimiter, clock: Clock
) -> None:
    """And begin anew after it."""
    pauses = []
    for _ in range(8):
        turn = limiter.turn()
        pauses.append(backoff.pause(turn, None, REASON))
        assert limiter.pause_left == pauses[-1]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    backoff.reset()
    assert backoff.pause(limiter.turn(), None, REASON) == 1
    assert not limiter.closed


def test_half_of_a_pause_is_left_to_chance(limiter: RateLimiter) -> None:
    """Never less than half of it."""
    assert Backoff(limiter, jitter=lambda: 0.0).pause(limiter.turn(), None, REASON) == 0.5


def test_what_alguna_says_is_the_least(backoff: Backoff, limiter: RateLimiter) -> None:
    """A `Retry-After` that is longer is obeyed, and a shorter one not believed in for ever."""
    assert backoff.pause(limiter.turn(), 7.0, REASON) == 7
    assert backoff.pause(limiter.turn(), 0.0, REASON) == 2


def test_those_who_failed_with_others_are_no_new_failure(backoff: Backoff, limiter: RateLimiter) -> None:
    """Eight that were under way together are one reason to wait; who knows of a longer time is heard."""
    turn = limiter.turn()
    assert backoff.pause(turn, None, REASON) == 1
    assert backoff.pause(turn, None, REASON) is None
    assert limiter.pause_left == 1
    assert backoff.pause(turn, 9.0, REASON) is None
    assert limiter.pause_left == 9
    assert backoff.pause(limiter.turn(), None, REASON) == 2


def test_it_is_enough_after_eight_pauses_in_a_row(backoff: Backoff, limiter: RateLimiter) -> None:
    """Then nobody waits any more, and the reason is told."""
    for _ in range(8):
        assert backoff.pause(limiter.turn(), None, REASON)
    assert not backoff.exhausted
    turn = limiter.turn()
    assert backoff.pause(turn, None, REASON) is None
    assert limiter.closed
    assert backoff.exhausted == f"Alguna was left alone 8 times in a row, and still cannot be had. {REASON}"
    assert backoff.pause(turn, 1000.0, "Another reason.") is None
    assert "8 times" in backoff.exhausted


def test_senseless_answers_in_a_row_are_enough(backoff: Backoff, limiter: RateLimiter) -> None:
    """Twenty, unless one in between makes sense; more than that say nothing new."""
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


def test_nobody_waits_for_an_hour(backoff: Backoff, limiter: RateLimiter) -> None:
    """Five minutes are obeyed; more ends it."""
    assert backoff.pause(limiter.turn(), 300.0, REASON) == 300
    assert backoff.pause(0, 3600.0, REASON) is None
    assert limiter.closed
    assert backoff.exhausted == f"Alguna asks not to be called for 60 minutes. {REASON}"
