"""Rate limiter shared by threads, with a common back-off after 429 responses and outages. Doesn't import Django.

A request's turn is the moment at which it's sent. Because requests may arrive late, and Alguna counts a second from the
first one's arrival, the requests that the rate allows are spread over `WINDOW`, which is a little more than a second.
"""

import random
import time
from collections import deque
from collections.abc import Callable
from math import ceil
from threading import Lock

WINDOW = 1.03  # seconds
POLL_SECONDS = 0.25  # how often a waiting thread checks for a pause, or for the end of the job
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds; each pause is twice as long as the one before
MAX_RETRY_AFTER = 300.0  # seconds
MAX_UNEXPECTED = 20  # consecutive responses that don't look like Alguna's
MAX_PAUSES = 8  # consecutive pauses, which take two to three minutes


class RateLimiterClosed(Exception):
    """The limiter was closed during a pause, so the request was not sent."""


class RateLimiter:
    """Lets threads send at most `rate` requests a second, evenly spaced, and none during a pause.

    Unused time isn't made up for.
    """

    def __init__(
        self,
        rate: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.closed = False
        self.pauses = 0
        self._interval = WINDOW / rate
        self._clock = clock
        self._sleep = sleep
        self._lock = Lock()
        self._turns: deque[float] = deque(maxlen=rate)  # the times of the last turns
        self._next = clock()
        self._paused_until = clock()

    def turn(self) -> int:
        """Wait for a turn; return the number of pauses so far. If closed, raise `RateLimiterClosed` in a pause."""
        at = self._schedule()
        while True:
            with self._lock:
                now = self._clock()
                pause = self._paused_until - now
                if pause <= 0 and at >= self._paused_until:
                    at = self._postpone(at)
                    if now >= at:
                        self._turns.append(now)
                        return self.pauses
            if pause > 0 and self.closed:
                raise RateLimiterClosed
            if at < self._paused_until:
                at = self._schedule()
            self._sleep(min(max(at - now, 0.0), POLL_SECONDS))

    def pause(self, seconds: float, *, new: bool) -> None:
        """Let no thread have a turn for so many seconds. A pause that lasts longer stays as it is."""
        with self._lock:
            self.pauses += new
            until = self._clock() + seconds
            if until > self._paused_until:
                self._paused_until = self._next = until

    def rest(self, seconds: float) -> None:
        """Let the current thread wait for so many seconds; raise `RateLimiterClosed` if the limiter is closed."""
        until = self._clock() + seconds
        while (left := until - self._clock()) > 0:
            if self.closed:
                raise RateLimiterClosed
            self._sleep(min(left, POLL_SECONDS))

    def close(self) -> None:
        """End the waiting in pauses. Threads outside a pause still get their turn."""
        self.closed = True

    @property
    def pause_left(self) -> float:
        """The seconds until the current pause ends."""
        return max(self._paused_until - self._clock(), 0.0)

    def _schedule(self) -> float:
        with self._lock:
            at = max(self._next, self._clock())
            self._next = at + self._interval
            return at

    def _postpone(self, at: float) -> float:
        """Postpone a turn if it would be too soon after turns that were later than scheduled."""
        if self._turns:
            at = max(at, self._turns[-1] + self._interval / 2)
        if len(self._turns) == self._turns.maxlen:
            at = max(at, self._turns[0] + WINDOW)
        return at


class Backoff:
    """Exponential back-off for all threads. After too many failures it closes the limiter."""

    def __init__(self, limiter: RateLimiter, *, jitter: Callable[[], float] = random.random) -> None:
        self.limiter = limiter
        self.exhausted = ""  # the reason why the limiter was closed
        self._jitter = jitter
        self._lock = Lock()
        self._pauses = 0
        self._unexpected = 0

    def pause(self, pauses: int, retry_after: float | None, reason: str) -> float | None:
        """Pause all threads after a failed request, for at least `retry_after` seconds and longer each time.

        `pauses` is what `turn` returned before the request. Return the seconds, or None if the failure belongs to a
        pause that has started already, or if the limiter was closed.
        """
        with self._lock:
            if self.exhausted:
                return None
            if retry_after is not None and retry_after > MAX_RETRY_AFTER:
                self._close(f"Alguna asks not to be called for {ceil(retry_after / 60)} minutes. {reason}")
                return None
            if pauses < self.limiter.pauses:
                self.limiter.pause(retry_after or 0.0, new=False)
                return None
            if self._pauses == MAX_PAUSES:
                self._close(f"Alguna was left alone {MAX_PAUSES} times in a row, and still cannot be had. {reason}")
                return None
            longest: float = min(FIRST_PAUSE * 2.0**self._pauses, LONGEST_PAUSE)
            # Half of it is random, so that two jobs don't continue at the same time.
            seconds = max(longest * (1 + self._jitter()) / 2, retry_after or 0.0)
            self._pauses += 1
            self.limiter.pause(seconds, new=True)
            return seconds

    def count_unexpected(self, reason: str) -> None:
        """Count a response that isn't Alguna's; after many in a row, close the limiter: the API URL may be wrong."""
        with self._lock:
            self._unexpected += 1
            if self._unexpected == MAX_UNEXPECTED and not self.exhausted:
                self._close(f"{MAX_UNEXPECTED} answers in a row made no sense. {reason}")

    def reset(self) -> None:
        """Start with short pauses again, after a valid response."""
        self._pauses = self._unexpected = 0

    def _close(self, reason: str) -> None:
        self.exhausted = reason
        self.limiter.close()
