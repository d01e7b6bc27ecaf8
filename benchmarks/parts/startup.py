"""Start-up is measured in fresh processes that take turns, after one of each that fills the caches of the file system
and of bytecode. `django.setup()` is that of `startproject`'s apps with and without `alguna_portal`; the figure is the
median of the differences. Django's admin imports our admin; a site without it imports our client and requests with
the first click. Our client is imported into a process that has `django.conf` and `django.core.cache`, as every Django
process has; `import alguna` into a bare one.
"""

import subprocess
import sys
from statistics import median
from typing import Any

from benchmarks.figures import Figure, create_figure_at_most, get_median_ratio
from benchmarks.servers import create_environment

TIMES = 25
TIMED = "from time import perf_counter\n{before}\nstarted = perf_counter()\n{code}\nprint(perf_counter() - started)"
IN_DJANGO = "import django.conf, django.core.cache; django.conf.settings.CACHES"
PORTAL, ADMIN = "alguna_portal", "django.contrib.admin"


def measure() -> list[Figure]:
    """Compare processes that start."""
    setup: dict[str, Any] = {"before": "import django", "code": "django.setup()"}
    client = "import alguna_portal.api.client"
    full, full_without, lean, lean_without = _time_in_turns(
        setup, setup | {"without": [PORTAL]}, setup | {"without": [ADMIN]}, setup | {"without": [PORTAL, ADMIN]}
    )
    ours, total, sdk = _time_in_turns(
        {"before": IN_DJANGO, "code": client}, {"code": f"{IN_DJANGO}; {client}"}, {"code": "import alguna"}
    )
    return [
        create_figure_at_most(
            "`alguna_portal` in `django.setup()`",
            _get_median_difference(full, full_without),
            30,
            " ms",
            digits=1,
            note=f"{median(full):.0f} ms against {median(full_without):.0f} ms",
        ),
        Figure(
            measure="… on a site without Django's admin", figure=f"{_get_median_difference(lean, lean_without):.1f} ms"
        ),
        create_figure_at_most(
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


def _get_median_difference(with_it: list[float], without: list[float]) -> float:
    return median(one - other for one, other in zip(with_it, without, strict=True))


def _time_in_turns(*orders: dict[str, Any]) -> list[list[float]]:
    """Run each of these in turn, many times; return the times of each in milliseconds."""
    rounds = [[_time_process(order) for order in orders] for _ in range(TIMES + 1)]
    return [list(each) for each in zip(*rounds[1:], strict=True)]


def _time_process(order: dict[str, Any]) -> float:
    code = TIMED.format(before=order.get("before", ""), code=order["code"])
    env = create_environment({"without": order.get("without", [])})
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True, text=True)
    return float(done.stdout) * 1000
