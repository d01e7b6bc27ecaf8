"""Start-up is measured in new processes that run alternately, after one run of each that fills the caches of the file
system and of bytecode. `django.setup()` has the apps of `startproject`, with and without `alguna_portal`; the figure is
the median of the differences. Django's admin imports our admin. A site without it imports our client and requests on
the first click. Our client is imported into a process that has imported `django.conf` and `django.core.cache`, like
every Django process; `import alguna` runs in a process without other imports.
"""

import subprocess
import sys
from statistics import median
from typing import Any

from benchmarks.figures import Figure, get_median_ratio, require_at_most
from benchmarks.servers import get_environment

TIMES = 25
TIMED = "from time import perf_counter\n{before}\nstarted = perf_counter()\n{code}\nprint(perf_counter() - started)"
IN_DJANGO = "import django.conf, django.core.cache; django.conf.settings.CACHES"
PORTAL, ADMIN = "alguna_portal", "django.contrib.admin"


def measure() -> list[Figure]:
    """Compare start-up and import times."""
    setup: dict[str, Any] = {"before": "import django", "code": "django.setup()"}
    client = "import alguna_portal.api.client"
    with_admin, with_admin_only, without_admin, without_both = _measure_times(
        setup, setup | {"without": [PORTAL]}, setup | {"without": [ADMIN]}, setup | {"without": [PORTAL, ADMIN]}
    )
    ours, total, sdk = _measure_times(
        {"before": IN_DJANGO, "code": client}, {"code": f"{IN_DJANGO}; {client}"}, {"code": "import alguna"}
    )
    return [
        require_at_most(
            "`alguna_portal` in `django.setup()`",
            _get_median_difference(with_admin, with_admin_only),
            30,
            " ms",
            digits=1,
            note=f"{median(with_admin):.0f} ms against {median(with_admin_only):.0f} ms",
        ),
        Figure(
            measure="… on a site without Django's admin",
            figure=f"{_get_median_difference(without_admin, without_both):.1f} ms",
        ),
        require_at_most(
            "import of `alguna_portal.api.client` / `import alguna`",
            get_median_ratio(ours, sdk),
            0.35,
            note=f"{median(ours):.0f} ms against {median(sdk):.0f} ms",
        ),
        Figure(
            measure="… with the Django it needs, in a bare process",
            figure=f"{get_median_ratio(total, sdk):.2f} ({median(total):.0f} ms)",
        ),
    ]


def _get_median_difference(ones: list[float], others: list[float]) -> float:
    return median(one - other for one, other in zip(ones, others, strict=True))


def _measure_times(*processes: dict[str, Any]) -> list[list[float]]:
    """Run processes alternately; return the times of each in milliseconds."""
    rounds = [[_measure_time(parameters) for parameters in processes] for _ in range(TIMES + 1)]
    return [list(each) for each in zip(*rounds[1:], strict=True)]


def _measure_time(parameters: dict[str, Any]) -> float:
    code = TIMED.format(before=parameters.get("before", ""), code=parameters["code"])
    env = get_environment({"without": parameters.get("without", [])})
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True, text=True)
    return float(done.stdout) * 1000
