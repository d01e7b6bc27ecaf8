"""The rate limit: so many requests within any one second."""

import threading
import time
from collections import deque
from collections.abc import Callable


class RateLimit:
    """What one process let pass within the last second, by a clock of seconds that never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._passed: deque[float] = deque()
        self._lock = threading.Lock()

    def allows(self, per_second: int) -> bool:
        """Count a request and let it pass, or refuse it; 0 lets everything pass."""
        if per_second <= 0:
            return True
        with self._lock:
            now = self._clock()
            while self._passed and self._passed[0] <= now - 1:
                self._passed.popleft()
            if len(self._passed) >= per_second:
                return False
            self._passed.append(now)
            return True
