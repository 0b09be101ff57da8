"""Feed the avatar reader with broken files until it breaks; it must not.

    nice -n 19 python -m tests.fuzz --cases 1000000 --state /tmp/fuzz.json
    python -m tests.fuzz --only 4711 --keep case.hvia

Cases are numbered, so a run that was ended goes on where it stopped (`--state`), and any case can be
made again. Every chunk runs in a process of its own: what kills that is a failure too. Exit 1: a
case failed.
"""

from __future__ import annotations

import argparse
import json
import mmap
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Final

ROOT: Final = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from tests.fuzz.cases import Count, run_cases  # noqa: E402
from tests.fuzz.mutations import mutant  # noqa: E402

CHUNK: Final = 20_000
COMMAND = [sys.executable, "-m", "tests.fuzz"]


def main() -> int:
    """Run, go on, or make one case again."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=20_000, help="how many in all")
    parser.add_argument("--seed", type=int, default=1, help="other seeds, other files")
    parser.add_argument("--state", type=Path, help="where the count is kept between runs")
    parser.add_argument("--only", type=int, help="one case, in this process")
    parser.add_argument("--keep", type=Path, help="write that case's file here")
    parser.add_argument("--worker", nargs=2, type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker is not None:
        return _worker(given.seed, *given.worker)
    if given.only is not None:
        if given.keep:
            given.keep.write_bytes(mutant(given.seed, given.only).content)
        count = run_cases(given.seed, [given.only])
    else:
        count = _many(given.seed, given.cases, given.state)
    print(json.dumps(count.as_json(), indent=1))  # noqa: T201
    return 1 if count.failures else 0


def _many(seed: int, cases: int, state: Path | None) -> Count:
    count = Count()
    if state is not None and state.is_file():
        count = Count.from_json(json.loads(state.read_text()))
    while count.cases < cases:
        count.add(_chunk(seed, count.cases, min(CHUNK, cases - count.cases)))
        if state is not None:
            state.write_text(json.dumps(count.as_json()))
    return count


def _chunk(seed: int, first: int, size: int) -> Count:
    """Run some cases in a process of their own; if it dies, say at which, and go on after it."""
    with tempfile.TemporaryFile() as place:
        place.write(first.to_bytes(8, "little"))
        place.flush()
        command = [*COMMAND, "--seed", str(seed), "--worker", str(first), str(size)]
        done = subprocess.run(command, cwd=ROOT, stdin=place, stdout=subprocess.PIPE, check=False)
        if done.returncode == 0:
            return Count.from_json(json.loads(done.stdout))
        place.seek(0)
        fatal = int.from_bytes(place.read(8), "little")
    count = Count(cases=1, failures=[(fatal, f"the process died: {done.returncode}")])
    if fatal > first:
        count.add(_chunk(seed, first, fatal - first))
    return count


def _worker(seed: int, first: int, size: int) -> int:
    place: IO[bytes] = sys.stdin.buffer
    with mmap.mmap(place.fileno(), 8) as shared:

        def begin(number: int) -> None:
            shared[:] = number.to_bytes(8, "little")

        count = run_cases(seed, range(first, first + size), begin=begin)
    print(json.dumps(count.as_json()))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
