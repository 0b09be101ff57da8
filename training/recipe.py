"""Everything from nothing to weights: `make train`. Each step goes on where it was killed.

    python -m training.recipe [--out out/training] [--scale 1.0] [--steps 7000] [--dry-run]

With `--scale 1` it speaks 12 hours and trains 7000 steps. With a GPU that is less than an hour,
two thirds of it one process that speaks; on a CPU 7 core-hours for Kokoro, two for the rest and
a night for the training, whose steps are smaller there. 6 GB on disk. `--scale 0.1` is a rehearsal.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Share:
    """How much of an engine is spoken and used.

    Attributes:
        engine: Its name.
        hours: Spoken at scale 1.
        used: Chance that a pass of examples takes an utterance; above 1 it is taken again.
        languages: Only these, with commas between; all if empty.
    """

    engine: str
    hours: float
    used: float
    languages: str = ""

    @property
    def folder(self) -> str:
        """What its corpus is called."""
        return "-".join([self.engine, *self.languages.split(",")]).rstrip("-")


SHARES: Final = (
    Share("kokoro", 5.5, 1.0),
    Share("kokoro", 0.5, 1.0, "fr"),
    Share("hibari", 2.5, 0.8),
    Share("joe", 1.0, 1.0),
    Share("flite", 0.7, 1.0),
    Share("festival", 0.5, 1.0),
    Share("espeak", 0.7, 0.5),
    Share("espeak", 0.6, 0.5, "fr,de,nl,da,az"),
)
"""Lips that are round in front (French, German, Dutch, Danish, Azerbaijani) get a part of their own:
among all languages they are so rare that a net takes them for i and e."""
PASSES: Final = 3
_CHECK_SCALE: Final = 0.02  # of other utterances, to see whether training still helps


def plan(out: Path, scale: float, steps: int) -> list[list[str]]:
    """Return the commands, in order, without the interpreter."""
    corpora, engines = out / "corpus", out / "engines"
    # Speech serves every scale. What is made of it does not: a rehearsal's net is no beginning.
    mine = out / f"scale-{scale:g}"
    commands = [["training.engines.fetch", str(engines)]]
    for share in SHARES:
        for kind, seed, part in (("", 1, scale), ("-check", 2, scale * _CHECK_SCALE)):
            where = corpora / (share.folder + kind)
            only = ["--languages", share.languages] if share.languages else []
            commands.append(
                ["training.speak", share.engine, "--hours", f"{share.hours * part:.6f}",
                 "--seed", str(seed), *only, "--engines", str(engines), "--out", str(where)]
            )  # fmt: skip
    trained = [corpora / s.folder for s in SHARES for _ in range(max(1, round(s.used)))]
    thinned = list(dict.fromkeys(f"--share={s.engine}={s.used}" for s in SHARES if s.used < 1))
    commands.append(
        ["training.examples", *map(str, trained), *thinned, "--passes", str(PASSES),
         "--out", str(mine / "examples")]
    )  # fmt: skip
    checked = [str(corpora / f"{s.folder}-check") for s in SHARES]
    commands.append(
        ["training.examples", *checked, "--passes", "1", "--plain", "--out", str(mine / "check")]
    )
    commands.append(
        ["training.train", str(mine / "examples"), "--validation", str(mine / "check"),
         "--steps", str(steps), "--out", str(mine / "net")]
    )  # fmt: skip
    commands.append(
        ["training.heads", str(mine / "net" / "best.pt"), str(mine / "examples"), "--validation",
         str(mine / "check"), "--out", str(mine / "net" / "near.pt")]
    )  # fmt: skip
    commands.append(
        ["training.export", str(mine / "net" / "near.pt"), str(mine / "audio2face.onnx")]
    )
    return commands


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m training.recipe")
    parser.add_argument("--out", type=Path, default=Path("out/training"))
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--steps", type=int, default=7_000)
    parser.add_argument("--dry-run", action="store_true")
    args = parser.parse_args()
    commands = plan(args.out, args.scale, args.steps)
    for command in commands:
        print("python -m", shlex.join(command), flush=True)
        if not args.dry_run:
            subprocess.run([sys.executable, "-m", *command], check=True)
    print(f"measure it: python -m training.evaluate --weights {commands[-1][-1]}")


if __name__ == "__main__":
    main()
