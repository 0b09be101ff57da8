"""The recipe names every step, in an order in which each finds what it needs."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from training.recipe import SHARES, main, plan


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
    hours = {c[-1]: float(c[c.index("--hours") + 1]) for c in plan(Path("o"), scale, 1) if c[0] == "training.speak" and c[c.index("--seed") + 1] == "1"}  # fmt: skip
    kokoro = [hours[where] for where in ("o/corpus/kokoro", "o/corpus/kokoro-fr")]
    assert sum(kokoro) == pytest.approx(6 * scale)
    assert sum(hours.values()) == pytest.approx(12 * scale)


def test_speech_of_some_languages_has_a_corpus_of_its_own() -> None:
    spoken = [c for c in plan(Path("o"), 1, 1) if c[0] == "training.speak"]
    assert len({c[-1] for c in spoken}) == len(spoken)
    only = {c[-1]: c[c.index("--languages") + 1] for c in spoken if "--languages" in c}
    assert only["o/corpus/kokoro-fr"] == only["o/corpus/kokoro-fr-check"] == "fr"
    assert all("fr" in languages.split(",") for languages in only.values())
    assert "o/corpus/espeak" not in only


def test_a_rehearsal_leaves_speech_to_the_whole_and_nothing_else() -> None:
    def written(scale: float) -> set[str]:
        commands = plan(Path("o"), scale, 1)
        outs = {c[c.index("--out") + 1] for c in commands if "--out" in c}
        return outs | {commands[-1][-1]}

    shared = written(0.1) & written(1.0)
    assert shared == {where for where in written(1.0) if where.startswith("o/corpus/")}
    assert len(written(1.0) - shared) == 5


def test_the_command_can_show_what_it_would_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "sys.argv", ["recipe", "--dry-run", "--scale", "0.5", "--out", str(tmp_path / "o")]
    )
    main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(plan(tmp_path / "o", 0.5, 7_000)) + 1
    assert lines[-1].endswith("scale-0.5/audio2face.onnx")
    assert not (tmp_path / "o").exists()
