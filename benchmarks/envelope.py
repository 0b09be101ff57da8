"""What every benchmark prints: one JSON object a line, with the machine and whether it counts."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

SCHEMA: Final = "avatar-bench/1"
MOST_LOAD_PER_CORE: Final = 0.3

# Read while the module loads: a benchmark is a load itself.
_LOAD_BEFORE: Final = os.getloadavg()[0]


def envelope(
    bench: str,
    metrics: dict[str, Any],
    *,
    config: dict[str, Any],
    controls: dict[str, bool] | None = None,
    n: int,
) -> dict[str, Any]:
    """Return one line of a benchmark's output.

    Args:
        bench: Its name.
        metrics: What was measured, in the units that the names say.
        config: What was chosen for this run.
        controls: Checks that the benchmark measures what it says; a failed one voids the run.
        n: Repeats behind each figure.

    Returns:
        A JSON object. `valid` is false if the machine was busy before the start or a control
        failed.
    """
    cores = os.cpu_count() or 1
    passed = controls or {}
    return {
        "schema": SCHEMA,
        "bench": bench,
        "commit": _commit(),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": {"cpu": _cpu(), "cores": cores, "load1": round(_LOAD_BEFORE, 2)},
        "gpu": None,
        "config": config,
        "n": n,
        "metrics": metrics,
        "controls": passed,
        "valid": MOST_LOAD_PER_CORE * cores >= _LOAD_BEFORE and all(passed.values()),
    }


def _commit() -> str | None:
    here = Path(__file__).parent
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True
    )
    return done.stdout.strip() or None


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
