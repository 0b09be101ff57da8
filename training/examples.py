"""Corpora to training examples: ten seconds of sound with everything the net shall say of them.

    python -m training.examples CORPUS [CORPUS ...] --out FOLDER [--passes 4] [--seed 0]
                                [--share ENGINE=0.5 ...] [--plain] [--jobs 1]

Each pass lays out every utterance anew, at other tempos and with other pauses; noise, rooms and
lines come when the net is trained (`training.disturb`). A shard holds 64 examples or so and
appears whole or not at all; shards that are there are not made again, so this can be killed at
any moment.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from avatar_worker.frames import ANALYSIS_RATE, VISEME_NAMES

from .augment import breathed, not_speech, paced
from .corpus import Corpus, Utterance
from .phones import Segment, filled
from .targets import PICTURE, loudness, mouths
from .units import BILABIALS, UNITS, VOWELS, FloatArray

PICTURES: Final = 250
SAMPLES: Final = 256 * 640  # the last picture hears 80 ms beyond itself
PER_SHARD: Final = 64
EARLIER_S: Final = 0.035
"""People's lips move before their voice: what the mouth does is asked for that much earlier."""
SLOWER: Final = 1.4
"""How much farther units bend their neighbours than by rule: lips follow filmed ones as well, and
tremble a fifth less."""
INNER: Final = (-0.015, -0.005, 0.005, 0.015)
"""Where around a picture's moment the sounds are asked for, seconds."""
LAST: Final = len(INNER) - 1
"""Which of them names its viseme: a picture is seen for 40 ms, and what it shows is in its middle."""
NOT_SPEECH_SHARE: Final = 0.05

UNIT_NAMES: Final = tuple(UNITS)
_VISEMES: Final = np.array(
    [-1 if u.viseme is None else VISEME_NAMES.index(u.viseme) for u in UNITS.values()], np.int8
)
_BILABIAL: Final = np.array([name in BILABIALS for name in UNITS])
_GAPS: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.5)


class Example(NamedTuple):
    """One example.

    Attributes:
        sound: 16 kHz. int16, (163840,).
        mouth: float16, (250, 12).
        viseme: See `named`. int8, (250,).
        units: Index in `UNIT_NAMES` at each of `INNER`. int8, (250, 4).
    """

    sound: npt.NDArray[np.int16]
    mouth: npt.NDArray[np.float16]
    viseme: npt.NDArray[np.int8]
    units: npt.NDArray[np.int8]


def units_at(segs: Sequence[Segment], times: FloatArray) -> npt.NDArray[np.int8]:
    """Return the index of the unit that sounds at each time."""
    starts = np.array([s.start for s in segs])
    index = np.array([UNIT_NAMES.index(s.unit) for s in segs])
    which = np.clip(np.searchsorted(starts, times, side="right") - 1, 0, len(segs) - 1)
    said: npt.NDArray[np.int8] = index[which].astype(np.int8)
    return said


def named(units: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """Return the viseme of each picture: what sounds 15 ms into it, and p, b, m wherever they do.

    Args:
        units: Index in `UNIT_NAMES` at each of `INNER`. int8, (..., pictures, 4).

    Returns:
        Index in `VISEME_NAMES`. int8, (..., pictures).
    """
    every = _VISEMES[units].reshape(*units.shape[:-2], -1)
    following = np.full(every.shape[:-1], VISEME_NAMES.index("aa"), np.int8)
    for k in reversed(range(every.shape[-1])):  # h is spoken with the mouth of what follows
        following = every[..., k] = np.where(every[..., k] < 0, following, every[..., k])
    shut = _BILABIAL[units[..., 1:]].any(axis=-1)
    said: npt.NDArray[np.int8] = np.where(
        shut, np.int8(VISEME_NAMES.index("PP")), every.reshape(units.shape)[..., LAST]
    )
    return said


def composed(
    waiting: Iterator[Utterance], chance: np.random.Generator, *, plain: bool
) -> tuple[FloatArray, list[Segment], list[float]]:
    """Lay utterances one after the other, with pauses; the last one is cut.

    Returns:
        Sound, units without gaps, and how loud each vowel is (see `loudness`).

    Raises:
        StopIteration: If none was waiting.
    """
    sound = np.zeros(SAMPLES, np.float32)
    whole = SAMPLES / ANALYSIS_RATE
    laid: list[Segment] = []
    loud: dict[float, float] = {}
    at, first = float(chance.uniform(0, 1.2)), True
    while at < whole - 0.5:
        utterance = next(waiting) if first else next(waiting, None)
        if utterance is None:
            break
        first = False
        pcm = utterance.pcm.astype(np.float32) / 32_768
        segs = utterance.segments
        if not plain and chance.random() < 0.7:
            pcm, segs = paced(pcm, segs, chance)
        pcm = pcm * np.float32(10 ** (chance.uniform(-4, 0) / 20))
        start = int(at * ANALYSIS_RATE)
        fits = pcm[: len(sound) - start]
        sound[start : start + len(fits)] += fits
        for s, level in zip(segs, loudness(pcm, segs), strict=True):
            moved = Segment(s.start + at, s.end + at, s.unit)
            laid.append(moved)
            if s.unit in VOWELS:
                loud[round(moved.start, 4)] = level
        at += len(pcm) / ANALYSIS_RATE
        gap = float(chance.choice(_GAPS))
        if gap > 0.3 and chance.random() < 0.5 and not plain:
            breathed(sound, at, gap, chance)
        at += gap
    units = filled([s for s in laid if s.start < whole], whole + 1)
    return sound, units, [loud.get(round(s.start, 4), 0.0) for s in units]


def labelled(sound: FloatArray, segs: Sequence[Segment], loud: Sequence[float]) -> Example:
    """Join what is heard with what shall be said of it."""
    times = np.arange(PICTURES) * PICTURE
    mouth = mouths(segs, times + EARLIER_S, loud=loud, slower=SLOWER)
    inner = np.clip(times[:, None] + np.array(INNER), 0, None)
    units = units_at(segs, inner.ravel()).reshape(inner.shape)
    return Example(
        np.rint(np.clip(sound, -1, 1) * 32_767).astype(np.int16), mouth.astype(np.float16),
        named(units), units,
    )  # fmt: skip


def examples(
    utterances: Sequence[Utterance], chance: np.random.Generator, *, plain: bool = False
) -> Iterator[Example]:
    """Go once through the utterances in random order."""
    waiting = iter([utterances[i] for i in chance.permutation(len(utterances))])
    silence = [Segment(0.0, SAMPLES / ANALYSIS_RATE + 1, "sil")]
    while True:
        if not plain and chance.random() < NOT_SPEECH_SHARE:
            yield labelled(not_speech(SAMPLES, chance), silence, [0.0])
            continue
        try:
            sound, segs, loud = composed(waiting, chance, plain=plain)
        except StopIteration:
            return
        yield labelled(sound * np.float32(0.5 if plain else 1.0), segs, loud)


def write(folder: Path, name: str, made: Sequence[Example]) -> None:
    """Write a shard, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{name}.part"
    with part.open("wb") as file:
        fields = {key: np.stack([getattr(e, key) for e in made]) for key in Example._fields}
        np.savez(file, **fields)  # type: ignore[arg-type]
    part.replace(folder / f"{name}.npz")


def shard(
    utterances: Sequence[Utterance], folder: Path, label: str, seed: Sequence[int], *, plain: bool
) -> int:
    """Make one shard and return how many examples it holds."""
    made = list(examples(utterances, np.random.default_rng(seed), plain=plain))
    write(folder, label, made)
    return len(made)


def one_pass(
    utterances: Sequence[Utterance], folder: Path, name: str, seed: int, *, plain: bool,
    jobs: int = 1,
) -> int:  # fmt: skip
    """Make the shards of one pass that are not there; return how many examples were made."""
    # The order is drawn once a pass, so that each shard mixes voices and engines.
    order = np.random.default_rng(seed).permutation(len(utterances))
    wanted = []
    for number, start in enumerate(range(0, len(utterances), 3 * PER_SHARD)):
        label = f"{name}-{number:03d}"
        if not (folder / f"{label}.npz").exists():
            chosen = [utterances[i] for i in order[start : start + 3 * PER_SHARD]]
            wanted.append((chosen, folder, label, (seed, number)))
    if jobs == 1:
        return sum(shard(*one, plain=plain) for one in wanted)
    with ProcessPoolExecutor(jobs) as pool:
        return sum(pool.map(partial(shard, plain=plain), *zip(*wanted, strict=True)))


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m training.examples")
    parser.add_argument("corpora", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--passes", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", action="append", default=[], metavar="ENGINE=SHARE")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--plain", action="store_true", help="undisturbed, for validation")
    args = parser.parse_args()
    shares = {engine: float(share) for engine, share in (s.split("=") for s in args.share)}
    every = [u for folder in args.corpora for u in Corpus(folder)]
    print(
        f"{len(every)} utterances, {sum(u.seconds for u in every) / 3_600:.2f} h", file=sys.stderr
    )
    for number in range(args.passes):
        seed = args.seed * 1_000 + number
        chance = np.random.default_rng([seed, 5])
        used = [u for u in every if chance.random() < shares.get(u.engine, 1.0)]
        name = f"pass-{seed:05d}"
        count = one_pass(used, args.out, name, seed, plain=args.plain, jobs=args.jobs)
        print(f"pass {number}: {count} examples", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
