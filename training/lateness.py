"""How late the labels of a corpus are, from the energy of its sound alone.

    python -m training.lateness CORPUS [--most 60]

Vowels are loud; stops, s, f and silence are not. The shift that makes labels and energy agree
best is the lateness that is left. For a corpus whose engine's lateness is known it is near 0.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from .corpus import Corpus, Utterance
from .units import VOWELS

SHIFTS_MS: Final = range(-120, 125, 5)
_QUIET: Final = frozenset({"p", "b", "t", "d", "k", "sil", "s", "f"})
_HOP: Final = 80  # samples, 5 ms


def agreement(utterance: Utterance) -> list[float]:
    """Return the correlation of labels and energy at each of `SHIFTS_MS`."""
    pcm = utterance.pcm.astype(np.float64) / 32_768
    power = np.convolve(pcm**2, np.ones(2 * _HOP) / (2 * _HOP), "same")[::_HOP]
    level = 10 * np.log10(power + 1e-7)
    found = []
    for shift in SHIFTS_MS:
        loud = np.zeros(len(level))
        for s in utterance.segments:
            first, last = (max(0, round((t + shift / 1_000) * 200)) for t in (s.start, s.end))
            loud[first:last] = 1 if s.unit in VOWELS else -1 if s.unit in _QUIET else 0
        found.append(float(np.corrcoef(loud, level)[0, 1]) if loud.std() > 0 else 0.0)
    return found


def lateness_ms(utterances: Iterable[Utterance]) -> tuple[int, float]:
    """Return by how much the labels are late (negative: early), and the correlation there."""
    curves = [agreement(utterance) for utterance in utterances]
    mean = np.mean(curves, axis=0)
    best = int(mean.argmax())
    return -SHIFTS_MS[best], float(mean[best])


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m training.lateness")
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--most", type=int, default=60)
    args = parser.parse_args()
    by_engine: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in islice(Corpus(args.corpus), args.most):
        by_engine[utterance.engine].append(utterance)
    for engine, utterances in by_engine.items():
        late, r = lateness_ms(utterances)
        print(f"{engine}: {late} ms late, r {r:.3f}, {len(utterances)} utterances")


if __name__ == "__main__":
    main()
