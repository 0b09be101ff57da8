"""What a net's library prints: its greeting is left out, everything else is said."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from avatar_worker.avatars.builder.net import GREETING, without_greeting


def test_only_the_greeting_is_left_out(capfd: pytest.CaptureFixture[str]) -> None:
    with without_greeting():
        os.write(2, b"WARNING: a delegate is slow\n")
        os.write(2, b"INFO: " + GREETING + b" for CPU.\n")
        os.write(2, b"ERROR: without an end of line")
    assert capfd.readouterr().err == "WARNING: a delegate is slow\nERROR: without an end of line"


def test_an_error_is_raised_and_what_was_said_before_it_is_said(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def build() -> None:
        with without_greeting():
            os.write(2, b"ERROR: an operator is missing\n")
            raise ValueError("no net")

    with pytest.raises(ValueError, match="no net"):
        build()
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "ERROR: an operator is missing\nafterwards\n"


def test_a_process_without_standard_error_is_no_obstacle() -> None:
    lines = (
        "import os",
        "os.close(2)",
        "from avatar_worker.avatars.builder.net import without_greeting",
        "with without_greeting():",
        "    print('inside')",
        "print('after')",
    )
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], stdout=subprocess.PIPE, text=True, check=True
    )
    assert done.stdout == "inside\nafter\n"


def test_a_first_net_says_nothing_and_would_have_greeted() -> None:
    """In a process of its own, as only its first net greets."""
    lines = (
        "import contextlib, sys",
        "from avatar_worker.avatars.builder import matte, net",
        "if 'greet' in sys.argv:",
        "    net.without_greeting = contextlib.nullcontext",
        "matte._segmenter()",
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", "\n".join(lines), *more], capture_output=True, check=True
        ).stderr
        for more in ([], ["greet"])
    ]
    assert GREETING not in said[0]
    assert GREETING in said[1]
