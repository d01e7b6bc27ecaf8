"""How often many threads together may ask, and how they leave Alguna alone together. Pure: the clock is handed in.

A request's turn is the moment at which it sets out; what the network makes of it is beyond us. So that requests
which are a little late do not come as one too many for somebody who counts a second from there, as many as the rate
allows are spread over `WINDOW`, which is a little more than one second.
"""

import random
import time
from collections import deque
from collections.abc import Callable
from math import ceil
from threading import Lock

WINDOW = 1.03  # seconds
NAP = 0.25  # seconds; how soon a thread that waits learns of a pause, or of the end
# Seconds of the first pause, which doubles, and of the longest; and the longest that Alguna is obeyed in.
FIRST_PAUSE, LONGEST_PAUSE, LONGEST_OBEDIENCE = 1.0, 60.0, 300.0
SENSELESS = 20  # answers in a row that are not Alguna's
FRUITLESS = 8  # pauses in a row, which take two to three minutes


class RateLimiterClosed(Exception):
    """What a request waited for will not be waited for any more; the request was not sent."""


class RateLimiter:
    """Gives out turns: never more than `rate` in a second, evenly, and none while there is a pause.

    Time that nobody used is not made up for.
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
        self._given: deque[float] = deque(maxlen=rate)  # when the last turns were
        self._next = clock()
        self._paused_until = clock()

    def turn(self) -> int:
        """Wait for a turn; return the number of pauses so far. Raise `RateLimiterClosed` in a pause, once closed."""
        at = self._reserve()
        while True:
            with self._lock:
                now = self._clock()
                pause = self._paused_until - now
                if pause <= 0 and at >= self._paused_until:
                    at = self._earliest(at)
                    if now >= at:
                        self._given.append(now)
                        return self.pauses
            if pause > 0 and self.closed:
                raise RateLimiterClosed
            if at < self._paused_until:
                at = self._reserve()
            self._sleep(min(max(at - now, 0.0), NAP))

    def pause(self, seconds: float, *, new: bool) -> None:
        """Give nobody a turn for so long; a pause that lasts longer anyway is left as it is."""
        with self._lock:
            self.pauses += new
            until = self._clock() + seconds
            if until > self._paused_until:
                self._paused_until = self._next = until

    def rest(self, seconds: float) -> None:
        """Let one thread alone wait for so long; raise `RateLimiterClosed` once closed."""
        until = self._clock() + seconds
        while (left := until - self._clock()) > 0:
            if self.closed:
                raise RateLimiterClosed
            self._sleep(min(left, NAP))

    def close(self) -> None:
        """Let nobody wait for the end of a pause any more. Those whose turn is near still get it."""
        self.closed = True

    @property
    def pause_left(self) -> float:
        """How long the pause still lasts, in seconds."""
        return max(self._paused_until - self._clock(), 0.0)

    def _reserve(self) -> float:
        with self._lock:
            at = max(self._next, self._clock())
            self._next = at + self._interval
            return at

    def _earliest(self, at: float) -> float:
        """Put a turn off that comes too soon after those that were late; what was planned does not show it."""
        if self._given:
            at = max(at, self._given[-1] + self._interval / 2)
        if len(self._given) == self._given.maxlen:
            at = max(at, self._given[0] + WINDOW)
        return at


class Backoff:
    """How often, and for how long, all leave Alguna alone when it is not to be had; and when it is enough."""

    def __init__(self, pace: RateLimiter, *, jitter: Callable[[], float] = random.random) -> None:
        self.pace = pace
        self.exhausted = ""  # why nobody asks any more
        self._jitter = jitter
        self._lock = Lock()
        self._in_a_row = 0
        self._senseless = 0

    def failed(self, turn: int, retry_after: float | None, why: str) -> float | None:
        """Pause everybody for at least `retry_after` seconds, else for longer each time.

        Return how long; None where the failure belongs to a pause that is there already, or it has been enough: then
        the pace is closed, and `exhausted` says why.
        """
        with self._lock:
            if self.exhausted:
                return None
            if retry_after is not None and retry_after > LONGEST_OBEDIENCE:
                self._give_up(f"Alguna asks not to be called for {ceil(retry_after / 60)} minutes. {why}")
                return None
            if turn < self.pace.pauses:
                self.pace.pause(retry_after or 0.0, new=False)
                return None
            if self._in_a_row == FRUITLESS:
                self._give_up(f"Alguna was left alone {FRUITLESS} times in a row, and still cannot be had. {why}")
                return None
            longest: float = min(FIRST_PAUSE * 2.0**self._in_a_row, LONGEST_PAUSE)
            # Half of it is left to chance, so that two runs do not come back at once.
            seconds = max(longest * (1 + self._jitter()) / 2, retry_after or 0.0)
            self._in_a_row += 1
            self.pace.pause(seconds, new=True)
            return seconds

    def puzzled(self, why: str) -> None:
        """Learn of an answer that makes no sense; of many in a row, that somebody else answers than Alguna."""
        with self._lock:
            self._senseless += 1
            if self._senseless == SENSELESS and not self.exhausted:
                self._give_up(f"{SENSELESS} answers in a row made no sense. {why}")

    def succeeded(self) -> None:
        """Begin with short pauses again."""
        self._in_a_row = self._senseless = 0

    def _give_up(self, why: str) -> None:
        self.exhausted = why
        self.pace.close()
