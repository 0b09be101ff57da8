"""The compiled steps that the package carries."""

from __future__ import annotations

import re

import pytest

from avatar_worker.render.cuda import ptx
from avatar_worker.render.cuda.steps import ARRAYS, STEPS


def code(step: str) -> str:
    return ptx.read_ptx()[step]


def test_they_were_compiled_from_the_sources_that_are_here() -> None:
    """If not: `python -m avatar_worker.render.cuda.ptx`, with `numba-cuda[cu12]` installed."""
    assert ptx.sources_then() == ptx.sources_now()


def test_every_step_is_there() -> None:
    assert tuple(ptx.read_ptx()) == STEPS


@pytest.mark.parametrize("step", STEPS)
def test_a_step_takes_seven_arrays_as_numba_passes_them(step: str) -> None:
    entry = re.search(rf"\.visible \.entry {step}\((.*?)\)", code(step), re.DOTALL)
    assert entry is not None
    assert len(re.findall(r"\.param \.u64", entry[1])) == 7 * len(ARRAYS)


@pytest.mark.parametrize("step", STEPS)
def test_pixels_are_worked_out_in_single_precision(step: str) -> None:
    """Most GPUs are 32 times slower in double precision."""
    assert ".f64" not in code(step)


@pytest.mark.parametrize("step", STEPS)
def test_they_run_on_every_gpu_since_volta(step: str) -> None:
    assert re.findall(r"^\.target (\w+)", code(step), re.MULTILINE) == ["sm_70"]


def test_only_tracing_needs_atomic_steps() -> None:
    atomic = {step for step in STEPS if "atom." in code(step) or "red." in code(step)}
    assert atomic == {"trace", "trace_under"}


def test_they_name_no_machine() -> None:
    for step in STEPS:
        assert not re.search(r"/(home|tmp|usr|opt|root|work)/", code(step))
