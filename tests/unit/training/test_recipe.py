"""The recipe names every step, in an order in which each finds what it needs."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from training.recipe import SHARES, plan


def test_every_step_is_a_module_that_is_there() -> None:
    for command in plan(Path("out"), 1.0, 100):
        assert find_spec(command[0]) is not None, command


def test_each_engine_speaks_for_training_and_for_the_check_with_other_seeds() -> None:
    spoken = [command for command in plan(Path("out"), 1.0, 100) if command[0] == "training.speak"]
    assert [c[1] for c in spoken] == [share.engine for share in SHARES for _ in range(2)]
    seeds = {(c[c.index("--out") + 1], c[c.index("--seed") + 1]) for c in spoken}
    assert len(seeds) == len(spoken)
    assert all((seed == "2") == where.endswith("-check") for where, seed in seeds)


def test_what_is_made_is_what_the_next_step_reads() -> None:
    commands = plan(Path("out"), 1.0, 100)
    made = {c[c.index("--out") + 1] for c in commands if "--out" in c}
    for command in commands:
        if command[0] == "training.examples":
            read = [word for word in command[1:] if word.startswith("out/corpus")]
            assert read
            assert set(read) <= made
    trained = next(c for c in commands if c[0] == "training.train")
    assert {trained[1], trained[trained.index("--validation") + 1]} <= made
    assert commands[-1][1].startswith(trained[trained.index("--out") + 1])


@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_the_scale_is_that_of_the_speech(scale: float) -> None:
    hours = {c[1]: float(c[c.index("--hours") + 1]) for c in plan(Path("o"), scale, 1) if c[0] == "training.speak" and c[c.index("--seed") + 1] == "1"}  # fmt: skip
    assert hours["kokoro"] == pytest.approx(6 * scale)
    assert sum(hours.values()) == pytest.approx(12 * scale)
