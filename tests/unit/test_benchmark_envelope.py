"""A benchmark's line says where it was measured and whether it counts."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def line(controls: str = "None", load: float = 0.0) -> dict[str, Any]:
    code = (
        "import os, json; os.getloadavg = lambda: (" + str(load) + ", 0, 0)\n"
        "from benchmarks.envelope import envelope\n"
        "print(json.dumps(envelope('features', {'ms': 1.5}, config={'batch': 8},"
        f" controls={controls}, n=5)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_it_carries_what_was_measured_and_where() -> None:
    found = line()
    assert found["schema"] == "avatar-bench/1"
    assert found["bench"] == "features"
    assert found["metrics"] == {"ms": 1.5}
    assert found["config"] == {"batch": 8}
    assert found["n"] == 5
    assert found["gpu"] is None
    assert found["host"]["cores"] >= 1
    assert found["host"]["cpu"]
    assert found["valid"] is True


def test_a_busy_machine_voids_the_run() -> None:
    assert line(load=1_000)["valid"] is False


@pytest.mark.parametrize(("passed", "valid"), [("True", True), ("False", False)])
def test_a_failed_control_voids_the_run(passed: str, valid: bool) -> None:
    assert line(controls="{'it_moves': " + passed + "}")["valid"] is valid
