"""Fills a corpus with synthetic speech. Can be killed at any moment and goes on where it was.

    python -m training.speak ENGINE --out CORPUS [--hours 1] [--seed 0] [--engines FOLDER]
                             [--held-out] [--languages en,es]

ENGINE is kokoro, hibari, joe, espeak, festival or flite. Utterance number n of an engine and a seed is
always the same, so what is there is not made again. `manifest.json` beside the corpus says how
much of whom it holds.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from avatar_worker.errors import ConfigError

from .corpus import SUFFIX, Corpus, Utterance
from .engines import HELD_OUT_LANGUAGES, Engine, Voice
from .texts import sentence

PEAK: Final = 0.6
SHORTEST_S, LONGEST_S = 0.6, 15.0
ENGLISH_SHARE: Final = 0.6
_REFUSALS_IN_A_ROW: Final = 200


def choose(voices: Sequence[Voice], pick: random.Random) -> Voice:
    """Return a voice: an English one in `ENGLISH_SHARE` of the cases, then all alike."""
    english = [voice for voice in voices if voice.language == "en"]
    other = [voice for voice in voices if voice.language != "en"]
    if english and other:
        return pick.choice(english if pick.random() < ENGLISH_SHARE else other)
    return pick.choice(english or other)


def one(engine: Engine, number: int, seed: int) -> Utterance:
    """Speak utterance `number`.

    Raises:
        ValueError: If the engine cannot say this one, or what it said is too short or too long.
    """
    name = f"{engine.name}-{seed}-{number:06d}"
    pick = random.Random(name)
    voice = choose(engine.voices, pick)
    sound, segs = engine.speak(voice, sentence(voice.language, pick), pick)
    seconds = len(sound) / 16_000
    if not SHORTEST_S <= seconds <= LONGEST_S or not segs:
        raise ValueError(f"{seconds:.1f} s")
    loudest = max(1e-4, float(np.abs(sound).max()))
    pcm = np.rint(sound * (PEAK / loudest * 32_767)).astype(np.int16)
    return Utterance(name, engine.name, voice.name, voice.language, pcm, segs)


def held(corpus: Corpus, engine: str, seed: int) -> float:
    """Return how many seconds of an engine and a seed a corpus has, from its file names alone."""
    files = corpus.folder.glob(f"{engine}-{seed}-*{SUFFIX}")
    return sum(_seconds(path) for path in files)


def _seconds(path: Path) -> float:
    """Return how long an utterance is: sound is nearly all of its file, and asking is fast."""
    return path.stat().st_size / 32_000


def fill(
    corpus: Corpus, engine: Engine, *, seconds: float, seed: int, report: Callable[[str], None]
) -> float:
    """Speak until the corpus has so many seconds of this engine and seed; return how many it has.

    Raises:
        ConfigError: If the engine refuses everything it is given.
    """
    prefix = f"{engine.name}-{seed}-"
    made, refused, number = 0.0, 0, 0
    while made < seconds:
        name = f"{prefix}{number:06d}"
        if name in corpus:
            made += _seconds(corpus.path(name))
        else:
            try:
                utterance = one(engine, number, seed)
            except ValueError as error:
                refused += 1
                if refused > _REFUSALS_IN_A_ROW:
                    raise ConfigError(f"{engine.name} says nothing: {error}") from error
            else:
                refused = 0
                corpus.add(utterance)
                made += utterance.seconds
                if number % 50 == 0:
                    report(f"{name}: {made / 60:.1f} min")
        number += 1
    return made


def write_manifest(corpus: Corpus) -> dict[str, dict[str, float]]:
    """Write how many minutes the corpus holds of each voice of each engine, and return it."""
    held: dict[str, dict[str, float]] = {}
    for utterance in corpus:
        spoken = held.setdefault(utterance.engine, defaultdict(float))
        spoken[f"{utterance.voice} ({utterance.language})"] += utterance.seconds / 60
    tidy = {
        engine: {voice: round(minutes, 2) for voice, minutes in sorted(voices.items())}
        for engine, voices in sorted(held.items())
    }
    part = corpus.folder / "manifest.part"
    part.write_text(json.dumps(tidy, indent=1, ensure_ascii=False) + "\n")
    part.replace(corpus.folder / "manifest.json")
    return tidy


def make(name: str, folder: Path, *, held_out: bool, languages: Sequence[str]) -> Engine:
    """Return an engine by name.

    Raises:
        ConfigError: If there is none of that name, or it is not installed.
    """
    # Each needs something that the others do not, so only the wanted one is imported.
    if name == "kokoro":
        from .engines.kokoro import Kokoro

        engine: Engine = Kokoro(folder / "kokoro", held_out=held_out, languages=languages)
    elif name == "joe":
        from .engines.joe import Joe

        engine = Joe(folder / "joe")
    elif name == "hibari":
        from .engines.hibari import HibariVoices

        engine = HibariVoices(folder / "hibari")
    elif name == "espeak":
        from .engines.espeak import Espeak

        engine = Espeak()
    elif name == "festival":
        from .engines.festival import Festival

        engine = Festival()
    elif name == "flite":
        from .engines.festival import Flite

        engine = Flite()
    else:
        raise ConfigError(
            f"there is no engine {name!r}; known: kokoro hibari joe espeak festival flite"
        )
    if not held_out:
        engine.voices = [v for v in engine.voices if v.language not in HELD_OUT_LANGUAGES]
    if languages:
        engine.voices = [v for v in engine.voices if v.language in languages]
    if not engine.voices:
        raise ConfigError(f"{name} has no voice for that")
    return engine


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m training.speak")
    parser.add_argument("engine")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--engines", type=Path, default=Path("out/training/engines"))
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--languages", default="")
    args = parser.parse_args()
    languages = tuple(args.languages.split(",")) if args.languages else ()
    try:
        corpus = Corpus(args.out)
        # Making an engine takes longer than seeing that it has nothing to say any more.
        if held(corpus, args.engine, args.seed) < args.hours * 3_600:
            engine = make(args.engine, args.engines, held_out=args.held_out, languages=languages)
            fill(corpus, engine, seconds=args.hours * 3_600, seed=args.seed,
                 report=lambda line: print(line, file=sys.stderr, flush=True))  # fmt: skip
        print(json.dumps(write_manifest(corpus), indent=1, ensure_ascii=False))
    except ConfigError as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
