"""A cold call requests a new session from the same local server in another process. The client of alguna_portal
(created from the settings each time, like in `open_session`), the official SDK and urllib3 alone are measured
alternately in blocks of 20 calls. All of them keep their connections alive. Our client and the SDK read the proxies of
the environment, which exclude the local server. CPU time is that of all threads of the process. urllib3 alone has no
retries, proxies, validation of the response or hard time limit.
"""

from statistics import median

from benchmarks.figures import Figure, get_median_ratio, require_at_most
from benchmarks.servers import run_alguna_stub, run_process

BLOCKS, CALLS = 150, 20
# requests reads these for each call, and httpx when a client is created.
PROXIES = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}


def measure() -> list[Figure]:
    """Compare the CPU times of cold calls."""
    with run_alguna_stub() as server:
        results = run_process("cold_call", {"api_url": server.url, "blocks": BLOCKS, "calls": CALLS}, **PROXIES)
    cpu = {name: [cpu for cpu, _ in times] for name, times in results.items()}
    median_cpu = {name: f"{median(times):.0f} µs" for name, times in cpu.items()}
    elapsed = ", ".join(f"{median(wall for _, wall in results[name]):.0f} µs" for name in ("ours", "sdk", "urllib3"))
    return [
        require_at_most(
            "cold call, CPU time: ours / official SDK",
            get_median_ratio(cpu["ours"], cpu["sdk"]),
            1.0,
            note=f"{median_cpu['ours']} against {median_cpu['sdk']}",
        ),
        Figure(
            measure="cold call, CPU time: urllib3 alone / official SDK",
            figure=f"{get_median_ratio(cpu['urllib3'], cpu['sdk']):.2f} ({median_cpu['urllib3']})",
        ),
        Figure(measure="cold call, elapsed: ours, official SDK, urllib3 alone", figure=elapsed),
    ]
