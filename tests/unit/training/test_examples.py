"""Training examples: what is heard, and what shall be said of it, belong together."""

from pathlib import Path

import numpy as np
import pytest
from training.augment import NOT_SPEECH, not_speech, paced
from training.corpus import Utterance
from training.examples import (
    EARLIER_S,
    PICTURES,
    SAMPLES,
    SLOWER,
    UNIT_NAMES,
    Example,
    composed,
    examples,
    labelled,
    named,
    one_pass,
    units_at,
)
from training.front import log_mel_batch, log_mel_plain
from training.noises import breath, music, music_and_breath, pink, room, speech_level
from training.phones import Segment
from training.targets import mouths

from avatar_worker.frames import MOUTH_NAMES, VISEME_NAMES

JAW = MOUTH_NAMES.index("jawOpen")


def chance(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def utterance(name: str, seed: int = 0, seconds: float = 2.0) -> Utterance:
    """Loud on vowels, silent elsewhere."""
    segs = [Segment(0.0, 0.4, "sil"), Segment(0.4, 0.9, "a"), Segment(0.9, 1.0, "m"), Segment(1.0, 1.6, "a"), Segment(1.6, seconds, "sil")]  # fmt: skip
    pcm = np.zeros(int(seconds * 16_000))
    for s in segs:
        if s.unit != "sil":
            part = slice(int(s.start * 16_000), int(s.end * 16_000))
            pcm[part] = chance(seed).standard_normal(part.stop - part.start) * 3_000
    return Utterance(name, "toy", "ann", "en", pcm.astype(np.int16), segs)


def test_ten_seconds_are_filled_and_labelled_where_they_sound() -> None:
    many = iter([utterance(f"u{i}", i) for i in range(20)])
    sound, segs, loud = composed(many, chance(), plain=True)
    assert sound.shape == (SAMPLES,)
    assert len(segs) == len(loud)
    assert segs[0].start == 0
    assert segs[-1].end > 10.24
    for s in segs:
        part = sound[int(s.start * 16_000) + 80 : int(s.end * 16_000) - 80]
        if len(part) > 100:
            assert (np.abs(part).max() > 0.01) == (s.unit != "sil"), s


def test_pacing_moves_the_labels_with_the_sound() -> None:
    one = utterance("u", seconds=3)
    for seed in range(4):
        pcm, segs = paced(one.pcm.astype(np.float32), one.segments, chance(seed))
        assert len(pcm) / 16_000 == pytest.approx(segs[-1].end, abs=0.01)
        first = np.argmax(np.abs(pcm) > 100) / 16_000
        assert first == pytest.approx(segs[1].start, abs=0.01)
    lengths = {len(paced(one.pcm.astype(np.float32), [], chance(seed))[0]) for seed in range(8)}
    assert len(lengths) > 3


def test_an_example_has_its_shapes_and_says_what_is_heard() -> None:
    (example, *_) = examples([utterance(f"u{i}", i) for i in range(6)], chance(), plain=True)
    assert example.sound.shape == (SAMPLES,)
    assert example.sound.dtype == np.int16
    assert example.mouth.shape == (PICTURES, 12)
    assert example.viseme.shape == (PICTURES,)
    assert example.units.shape == (PICTURES, 4)
    speaking = example.viseme > 0
    loud = np.abs(example.sound[: 640 * PICTURES].astype(float)).reshape(PICTURES, 640).mean(axis=1)
    assert loud[speaking].mean() > 10 * loud[~speaking].mean()
    assert example.mouth[speaking, JAW].mean() > 0.3 > 0.1 > example.mouth[~speaking, JAW].mean()


def indices(*names: str) -> list[int]:
    return [UNIT_NAMES.index(name) for name in names]


def called(*pictures: tuple[str, str, str, str]) -> list[str]:
    """What pictures are called in which these units sound."""
    units = np.array([indices(*picture) for picture in pictures], np.int8)
    return [VISEME_NAMES[v] for v in named(units)]


def test_a_picture_is_called_after_what_is_in_the_middle_of_its_time() -> None:
    assert called(("sil", "sil", "sil", "a")) == ["aa"]
    assert called(("a", "a", "a", "s")) == ["SS"]


def test_closed_lips_name_every_picture_that_they_are_in() -> None:
    assert called(("a", "m", "a", "a")) == ["PP"]
    assert called(("b", "b", "a", "a")) == ["PP"]
    assert called(("p", "a", "a", "a")) == ["aa"]  # over, but for its release


def test_h_is_called_after_what_follows() -> None:
    assert called(("sil", "h", "h", "h"), ("h", "h", "i", "i")) == ["I", "I"]
    assert called(("sil", "h", "h", "h")) == ["aa"]  # nothing does


def test_examples_are_named_alone_and_together() -> None:
    units = np.random.default_rng(0).integers(0, len(UNIT_NAMES), (3, 50, 4)).astype(np.int8)
    assert np.array_equal(named(units), np.stack([named(one) for one in units]))


def test_the_mouth_is_asked_for_a_little_earlier_than_the_viseme() -> None:
    segs = [Segment(0, 1.0, "sil"), Segment(1.0, 1.5, "a"), Segment(1.5, 12, "sil")]
    sound = np.zeros(SAMPLES, np.float32)
    example = labelled(sound, segs, [0.0, 0.0, 0.0])
    first = int(np.argmax(example.viseme > 0))
    assert first == 25
    assert VISEME_NAMES[example.viseme[first]] == "aa"
    times = np.arange(PICTURES) * 0.04
    wanted = mouths(segs, times + EARLIER_S, slower=SLOWER)
    assert np.abs(example.mouth - wanted).max() < 1e-3
    assert example.mouth[first, JAW] > mouths(segs, times, slower=SLOWER)[first, JAW]
    assert [UNIT_NAMES[u] for u in example.units[first]] == ["sil", "sil", "a", "a"]


def test_units_are_those_that_sound() -> None:
    segs = [Segment(0, 1.0, "sil"), Segment(1.0, 2.0, "m")]
    assert [UNIT_NAMES[u] for u in units_at(segs, np.array([-0.1, 0.5, 1.0, 5.0]))] == [
        "sil",
        "sil",
        "m",
        "m",
    ]


def test_some_examples_hold_no_speech_and_say_so() -> None:
    made = list(examples([utterance(f"u{i}", i) for i in range(150)], chance(1)))
    mute = [e for e in made if not e.viseme.any()]
    assert 1 <= len(mute) < len(made) / 3
    assert all(e.mouth.max() < 0.01 for e in mute)


def test_shards_are_whole_and_not_made_again(tmp_path: Path) -> None:
    many = [utterance(f"u{i}", i) for i in range(12)]
    assert one_pass(many, tmp_path, "pass-0", 0, plain=False) > 0
    (shard,) = tmp_path.glob("*.npz")
    before = shard.read_bytes()
    assert one_pass(many, tmp_path, "pass-0", 0, plain=False) == 0
    shard.unlink()
    one_pass(many, tmp_path, "pass-0", 0, plain=False)
    with np.load(shard) as again:
        assert set(again.files) == set(Example._fields)
    assert len(before) == len(shard.read_bytes())
    assert not list(tmp_path.glob("*.part"))


def test_several_processes_make_the_same_shards_as_one(tmp_path: Path) -> None:
    many = [utterance(f"u{i}", i) for i in range(200)]
    one = one_pass(many, tmp_path / "one", "pass-0", 0, plain=False)
    assert one_pass(many, tmp_path / "two", "pass-0", 0, plain=False, jobs=2) == one
    names = sorted(path.name for path in (tmp_path / "one").glob("*.npz"))
    assert len(names) == 2
    for name in names:
        with np.load(tmp_path / "one" / name) as a, np.load(tmp_path / "two" / name) as b:
            assert all(np.array_equal(a[key], b[key]) for key in Example._fields)


def test_what_is_no_speech_is_of_every_kind_and_within_range() -> None:
    peaks = []
    for seed in range(16):
        sound = not_speech(32_000, chance(seed))
        assert sound.shape == (32_000,)
        assert np.isfinite(sound).all()
        peaks.append(np.abs(sound).max())
    assert max(peaks) <= 1
    assert len({round(float(p), 3) for p in peaks}) > len(NOT_SPEECH)


def test_noises_have_the_level_that_was_asked_for() -> None:
    voice = 0.2 * chance().standard_normal(32_000).astype(np.float32)
    noisy = pink(voice, 10, seed=1)
    snr = 20 * np.log10(speech_level(voice) / (noisy - voice).std())
    assert snr == pytest.approx(10, abs=0.5)
    assert speech_level(np.zeros(0, np.float32)) == 0


def test_music_breath_and_rooms_are_made_by_seed() -> None:
    for make in (lambda c: music(2, c), lambda c: breath(0.4, c), room):
        assert np.array_equal(make(chance(1)), make(chance(1)))
        assert not np.array_equal(make(chance(1))[:500], make(chance(2))[:500])
    assert np.abs(music(3, chance(1))).max() == pytest.approx(1)
    assert room(chance(3))[0] == 1
    assert [len(s) for s in music_and_breath(seed=0)] == [160_000] * 6


def test_a_batch_hears_what_streams_hear() -> None:
    sounds = [chance(s).standard_normal(6_400).astype(np.float32) * 0.1 for s in range(3)]
    together = log_mel_batch(sounds)
    assert together.shape == (3, 38, 40)
    assert np.abs(together[1] - log_mel_batch(sounds[1:2])[0]).max() < 1e-4


def test_plain_mel_rises_with_the_level_and_levelled_mel_does_not() -> None:
    sound = chance().standard_normal(16_000).astype(np.float32) * 0.3
    assert log_mel_plain(sound).shape == (98, 40)
    assert (log_mel_plain(sound) - log_mel_plain(0.1 * sound)).mean() == pytest.approx(2, abs=0.1)
    loud, quiet = log_mel_batch([np.tile(sound, 4), np.tile(0.9 * sound, 4)])
    assert np.abs(loud - quiet).mean() < 0.05
