"""The fuzz target finds what it is there to find; long runs are `python -m tests.fuzz`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fuzz.cases import Count, read, run_cases
from tests.fuzz.mutations import KINDS, mutant, sound_files

from avatar_worker.avatars import Avatar
from avatar_worker.avatars.format import read_avatar
from avatar_worker.errors import AvatarCorruptError

ROOT = Path(__file__).parents[3]
SOME = range(600)


def test_the_reader_survives_some_cases_of_every_kind() -> None:
    count = run_cases(7, SOME)
    assert count.failures == []
    assert count.cases == len(SOME)
    kinds = {key.rpartition(" ")[0] for key in count.refused}
    assert kinds == set(KINDS)
    assert len({key.rpartition(" ")[2] for key in count.refused}) > 10


def test_what_is_changed_was_sound_before() -> None:
    for content in sound_files():
        assert read_avatar(content, avatar_id="fuzz").canvas.width == 64


def test_a_case_can_be_made_again_and_another_is_another() -> None:
    assert mutant(3, 11) == mutant(3, 11)
    assert len({mutant(3, number).content for number in range(40)}) > 38
    assert mutant(4, 11) != mutant(3, 11)


def test_a_reader_with_a_bug_is_caught() -> None:
    def careless(content: bytes) -> Avatar:
        try:
            return read(content)
        except AvatarCorruptError as error:
            if error.rule == "V5":
                raise IndexError("a bug") from None
            raise

    found = run_cases(7, SOME, reader=careless).failures
    assert found
    assert all("a bug" in text for _, text in found)


def test_a_reader_that_does_not_look_is_caught() -> None:
    sound = read(sound_files()[0])
    found = run_cases(7, SOME, reader=lambda content: sound).failures
    assert any("unnoticed" in text for _, text in found)


def test_a_reader_that_dawdles_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.cases.SLOWEST", -1.0)
    assert "took" in run_cases(7, range(1)).failures[0][1]


def test_counts_add_up_and_survive_being_written_down() -> None:
    one, other = run_cases(7, range(20)), run_cases(7, range(20, 50))
    one.add(other)
    assert one.cases == 50
    assert one.accepted + sum(one.refused.values()) == 50
    assert Count.from_json(json.loads(json.dumps(one.as_json()))) == one


def target(*arguments: str, code: str = "") -> subprocess.CompletedProcess[str]:
    command = ["-c", code] if code else ["-m", "tests.fuzz"]
    return subprocess.run(
        [sys.executable, *command, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=100,
        env={**os.environ},
        check=False,
    )


def test_the_command_goes_on_where_it_stopped(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    assert target("--cases", "30", "--state", str(state)).returncode == 0
    done = target("--cases", "50", "--state", str(state))
    assert done.returncode == 0
    assert json.loads(done.stdout)["cases"] == json.loads(state.read_text())["cases"] == 50


def test_one_case_can_be_kept(tmp_path: Path) -> None:
    kept = tmp_path / "case.hvia"
    assert target("--seed", "7", "--only", "3", "--keep", str(kept)).returncode == 0
    assert kept.read_bytes() == mutant(7, 3).content


def test_a_case_that_kills_the_process_is_a_failure_and_the_rest_goes_on() -> None:
    program = f"""
import os, sys
import tests.fuzz.__main__ as target
if "--worker" in sys.argv:
    import tests.fuzz.cases as cases
    whole = target.run_cases
    def deadly(content):
        if content == target.mutant(1, 4).content:
            os.kill(os.getpid(), {int(signal.SIGSEGV)})
        return cases.read(content)
    target.run_cases = lambda *given, **more: whole(*given, reader=deadly, **more)
else:
    target.COMMAND = [sys.executable, "-c", open("/proc/self/cmdline").read().split(chr(0))[2]]
sys.exit(target.main())
"""
    done = target("--cases", "9", code=program)
    count = json.loads(done.stdout)
    assert done.returncode == 1
    assert count["cases"] == 9
    assert [(number, text.split(":")[0]) for number, text in count["failures"]] == [
        (4, "the process died")
    ]
