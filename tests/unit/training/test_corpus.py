"""Utterances on disk: whole or absent, found again, never made twice."""

import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from training.corpus import Corpus, Utterance
from training.engines import Voice
from training.phones import Segment
from training.speak import choose, fill, held, main, make, one, write_manifest

from avatar_worker.errors import ConfigError


def utterance(name: str = "toy-0-000001") -> Utterance:
    pcm = (np.arange(16_000) % 100).astype(np.int16)
    return Utterance(
        name, "toy", "ann", "en", pcm, [Segment(0.0, 0.5, "a"), Segment(0.5, 1.0, "m")]
    )


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path / "c")
    corpus.add(utterance())
    (again,) = list(corpus)
    assert again.name == "toy-0-000001"
    assert (again.engine, again.voice, again.language) == ("toy", "ann", "en")
    assert np.array_equal(again.pcm, utterance().pcm)
    assert again.segments == utterance().segments
    assert again.seconds == 1.0
    assert len(corpus) == 1
    assert "toy-0-000001" in corpus
    assert "toy-0-000002" not in corpus


def test_a_file_that_was_cut_off_by_a_kill_is_not_there(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    (tmp_path / "toy-0-000001.1234.part").write_bytes(b"half")
    assert len(corpus) == 0
    corpus.add(utterance())
    assert [u.name for u in corpus] == ["toy-0-000001"]


def test_a_foreign_file_is_named(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    corpus.path("bad").write_bytes(b"no archive")
    with pytest.raises(ConfigError, match=r"bad\.npz is no utterance"):
        corpus.read("bad")
    with pytest.raises(ConfigError, match=r"absent\.npz is no utterance"):
        corpus.read("absent")


class Toy:
    """Says one second of noise, and refuses every third text."""

    name = "toy"

    def __init__(self, *, refuse: bool = False) -> None:
        self.voices = [Voice("ann", "ja"), Voice("eva", "hi")]
        self.said: list[str] = []
        self._refuse = refuse

    def speak(
        self, voice: Voice, text: str, pick: random.Random
    ) -> tuple[np.ndarray, list[Segment]]:
        self.said.append(text)
        if self._refuse or len(text) % 3 == 0:
            raise ValueError("I would rather not")
        sound = np.random.default_rng(pick.randrange(1 << 30)).uniform(-0.1, 0.1, 16_000)
        return sound.astype(np.float32), [Segment(0.0, 1.0, "a")]


def test_filling_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    fill(corpus, Toy(), seconds=5, seed=1, report=lambda _: None)
    first = {u.name: u.pcm.tobytes() for u in corpus}
    corpus.path(sorted(first)[2]).unlink()  # as if a kill had come before it
    again = Toy()
    fill(corpus, again, seconds=5, seed=1, report=lambda _: None)
    assert {u.name: u.pcm.tobytes() for u in corpus} == first
    assert len(again.said) <= 1 + sum(1 for t in Toy().said) + 5, "what is there is not made again"
    made = sum(u.seconds for u in corpus)
    assert 5 <= made < 6.1


def test_what_a_corpus_holds_is_told_by_engine_and_seed(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    fill(corpus, Toy(), seconds=3, seed=1, report=lambda _: None)
    assert held(corpus, "toy", 1) == pytest.approx(3, abs=0.1)
    assert held(corpus, "toy", 2) == held(corpus, "to", 1) == 0


def test_an_engine_that_has_said_enough_is_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = Corpus(tmp_path / "c")
    for number in range(3):
        corpus.add(replace(utterance(f"kokoro-0-{number:06d}"), engine="kokoro"))
    command = ["speak", "kokoro", "--out", str(corpus.folder), "--engines", str(tmp_path / "none")]
    monkeypatch.setattr("sys.argv", [*command, "--hours", "0.0008"])
    main()
    assert json.loads(capsys.readouterr().out) == {"kokoro": {"ann (en)": 0.05}}
    monkeypatch.setattr("sys.argv", [*command, "--hours", "0.001"])
    with pytest.raises(SystemExit, match="Kokoro is not complete"):
        main()


def test_another_seed_says_other_things(tmp_path: Path) -> None:
    assert not np.array_equal(_first(1).pcm, _first(2).pcm)
    assert np.array_equal(_first(1).pcm, _first(1).pcm)


def _first(seed: int) -> Utterance:
    for number in range(20):
        try:
            return one(Toy(), number, seed)
        except ValueError:
            continue
    raise AssertionError("the toy refused twenty texts")


def test_an_engine_that_says_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="toy says nothing: I would rather not"):
        fill(Corpus(tmp_path), Toy(refuse=True), seconds=1, seed=0, report=lambda _: None)


def test_english_is_spoken_more_than_everything_else() -> None:
    voices = [Voice("ann", "en")] + [Voice(f"v{i}", "es") for i in range(9)]
    pick = random.Random(0)
    english = sum(choose(voices, pick).language == "en" for _ in range(2_000))
    assert english / 2_000 == pytest.approx(0.6, abs=0.05)
    assert choose(voices[1:], pick).language == "es"


def test_the_manifest_counts_minutes_by_voice(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    corpus.add(utterance("toy-0-000001"))
    corpus.add(utterance("toy-0-000002"))
    assert write_manifest(corpus) == {"toy": {"ann (en)": 0.03}}
    assert json.loads((tmp_path / "manifest.json").read_text()) == {"toy": {"ann (en)": 0.03}}
    assert len(corpus) == 2, "the manifest is no utterance"


def test_an_unknown_engine_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="known: kokoro hibari joe espeak festival flite"):
        make("parrot", tmp_path, held_out=False, languages=())
    with pytest.raises(ConfigError, match="Kokoro is not complete"):
        make("kokoro", tmp_path, held_out=False, languages=())
    with pytest.raises(ConfigError, match="Joe is not complete"):
        make("joe", tmp_path, held_out=False, languages=())
