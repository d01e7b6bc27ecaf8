"""A cold call asks the same local server, in another process, for the same session. Our client (made from the settings
each time, as `open_session` does), the official SDK and urllib3 alone take turns in blocks of 20, each with its
connections kept alive; our client and the SDK heed the proxies of the environment, which name the server as one not
to be proxied. CPU time is that of the process, all threads together. urllib3 alone asks without retries, proxies,
checks of the answer or a hard bound in time.
"""

from statistics import median

from benchmarks.figures import Figure, create_figure_at_most, get_median_ratio
from benchmarks.servers import run_alguna, run_process

BLOCKS, CALLS = 150, 20
# Honoured alike: requests looks at each call, httpx when a client is made.
PROXIES = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}


def measure() -> list[Figure]:
    """Compare the CPU times of cold calls."""
    with run_alguna() as server:
        found = run_process("cold_call", {"api_url": server.url, "blocks": BLOCKS, "calls": CALLS}, **PROXIES)
    cpu = {name: [cpu for cpu, _ in times] for name, times in found.items()}
    took = {name: f"{median(times):.0f} µs" for name, times in cpu.items()}
    elapsed = ", ".join(f"{median(wall for _, wall in found[name]):.0f} µs" for name in ("ours", "sdk", "urllib3"))
    return [
        create_figure_at_most(
            "cold call, CPU time: ours / official SDK",
            get_median_ratio(cpu["ours"], cpu["sdk"]),
            1.0,
            note=f"{took['ours']} against {took['sdk']}",
        ),
        Figure(
            measure="cold call, CPU time: urllib3 alone / official SDK",
            figure=f"{get_median_ratio(cpu['urllib3'], cpu['sdk']):.2f} ({took['urllib3']})",
        ),
        Figure(measure="cold call, elapsed: ours, official SDK, urllib3 alone", figure=elapsed),
    ]
