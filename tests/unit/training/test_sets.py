"""Evaluation sets, read from a folder that the test makes."""

from pathlib import Path

import numpy as np
import pytest
from training.sets import EvaluationDataError, check, films, read_sound, speech, synthetic

from fakes.evaluation_data import film, made, real, tone, write_wav


def test_sound_is_read_at_16_khz(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", tone(1, 48_000), 48_000)
    sound = read_sound(tmp_path / "a.wav")
    assert sound.dtype == np.float32
    assert len(sound) == pytest.approx(16_000, abs=40)
    spectrum = np.abs(np.fft.rfft(sound[:16_000]))
    assert spectrum.argmax() == pytest.approx(440, abs=2)


def test_a_file_without_sound_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"no sound")
    with pytest.raises(EvaluationDataError, match=r"cannot read the sound of .*a\.wav"):
        read_sound(tmp_path / "a.wav")


def test_real_speech_comes_with_its_units(tmp_path: Path) -> None:
    real(tmp_path, [["SIL", 0, 0.5], ["AY", 0.5, 1.0], ["M", 1.0, 1.2], ["XX", 1.2, 2.0]])
    (one,) = speech(tmp_path)
    assert (one.name, one.language, len(one.pcm)) == ("one", "en", 32_000)
    assert [s.unit for s in one.segments] == ["sil", "a", "I", "m", "h"]


def test_labels_without_a_recording_are_named(tmp_path: Path) -> None:
    real(tmp_path, [["AA", 0, 1]])
    (tmp_path / "speech/real/one.wav").unlink()
    with pytest.raises(EvaluationDataError, match="has no recording beside it"):
        speech(tmp_path)


def test_each_engines_symbols_are_read_its_own_way(tmp_path: Path) -> None:
    made(tmp_path, "espeak_de", [["ɡ", 0.1, 0.2], ["uː", 0.2, 0.4], ["_:", 0.4, 0.5]], lang="de")
    made(tmp_path, "flite_slt", [["pau", 0, 0.1], ["b", 0.1, 0.2]])
    made(tmp_path, "kokoro_em_x", [["m", 0.1, 0.2]], lang="es", offset_applied_s=-0.058)
    made(tmp_path, "kokoro_af_x", [["A", 0.2, 0.4]])
    made(tmp_path, "festival_czech", [["r~", 0.1, 0.2]], lang="cs")
    read = {s.name: s for s in synthetic(tmp_path)}
    assert set(read) == {"espeak_de", "flite_slt", "kokoro_em_x", "kokoro_af_x"}
    assert [s.unit for s in read["espeak_de"].segments] == ["k", "u", "sil"]
    assert read["espeak_de"].language == "de"
    assert read["kokoro_em_x"].segments[0].start == pytest.approx(0.1), "shifted once, not twice"
    assert read["kokoro_af_x"].segments[0].start == pytest.approx(0.14)
    assert read["flite_slt"].language == "en"


def test_files_of_espeak_are_in_the_language_of_their_voice(tmp_path: Path) -> None:
    for voice in ("fr", "en-gb_f3", "cmn", "en-us"):
        made(tmp_path, f"espeak_{voice}", [["ə-", 0.1, 0.2]])
    made(tmp_path, "kokoro_ff_x", [["ɔ", 0.1, 0.2], ["\u0303", 0.2, 0.3]], lang="fr-fr")
    read = {s.name: s for s in synthetic(tmp_path)}
    languages = {name: spoken.language for name, spoken in read.items()}
    assert languages == {
        "espeak_fr": "fr", "espeak_en-gb_f3": "en", "espeak_cmn": "zh", "espeak_en-us": "en",
        "kokoro_ff_x": "fr",
    }  # fmt: skip
    units = {name: [s.unit for s in spoken.segments] for name, spoken in read.items()}
    assert (units["espeak_fr"], units["espeak_en-us"]) == (["9"], ["@"])
    assert units["kokoro_ff_x"] == ["o"]


def test_lip_tracks_are_sampled_at_25_pictures_a_second(tmp_path: Path) -> None:
    film(tmp_path)
    film(tmp_path, "other")
    grid, other = films(tmp_path)
    assert grid.studio
    assert not other.studio
    assert len(grid.gap) == int(59 / 30 * 25)
    assert grid.gap == pytest.approx(np.arange(49) / 25)


def test_a_lip_track_without_a_gap_is_named(tmp_path: Path) -> None:
    film(tmp_path, gap=None)
    with pytest.raises(EvaluationDataError, match="is no lip track"):
        films(tmp_path)


def test_an_empty_folder_is_refused_and_half_of_one_is_not(tmp_path: Path) -> None:
    with pytest.raises(
        EvaluationDataError, match="no evaluation data in .*AVALUMA_EVALUATION_DATA"
    ):
        check(tmp_path)
    with pytest.raises(EvaluationDataError, match="no evaluation data"):
        check(tmp_path / "absent")
    film(tmp_path)
    check(tmp_path)
    assert speech(tmp_path) == []
