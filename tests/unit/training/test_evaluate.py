"""The command that measures: one table, one JSON line, and an error that says what is missing."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from training import evaluate
from training.baselines import Mfcc, fit, rms
from training.corpus import Utterance
from training.phones import Segment
from training.sets import EvaluationDataError

from avatar_worker.features.audio2face import SHORT_LOOK_AHEAD
from fakes.evaluation_data import film, made, real, tone

METRICS = {
    "closure_recall", "viseme_accuracy", "grid_r", "wild_r", "rest_in_silence", "jitter_ratio",
    "lag_frames", "wild_r_far",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two seconds of each set."""
    real(tmp_path, [["SIL", 0, 0.5], ["AA", 0.5, 1.0], ["M", 1.0, 1.1], ["AA", 1.1, 1.5], ["SIL", 1.5, 2]])  # fmt: skip
    made(tmp_path, "espeak_de", [["a", 0.1, 0.5], ["m", 0.5, 0.6]], lang="de")
    film(tmp_path, "grid_a")
    film(tmp_path, "other")
    return tmp_path


def test_one_json_line_has_every_metric(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate.main(["--json", "--data", str(folder)])
    line = json.loads(capsys.readouterr().out)
    assert set(line["metrics"]) >= METRICS
    others = {"at_40_ms", "mfcc", "rms"}
    assert set(line["others"]) == others, "there is no previous net beside this data"
    assert set(line["others"]["at_40_ms"]) == set(line["metrics"])
    assert line["data"] == {
        "real_utterances": 1,
        "bilabials": 1,
        "studio_clips": 1,
        "other_clips": 1,
    }
    assert set(line["languages"]) == {"de"}
    assert line["others"]["rms"]["viseme_accuracy"] is None, "loudness names no viseme"


def test_the_table_has_a_row_for_each_method(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packaged = Path(evaluate.__file__).parents[1] / "avatar-worker/src/avatar_worker/assets/weights"
    (weights,) = packaged.glob("*.onnx")
    evaluate.main(["--data", str(folder), "--previous", str(weights)])
    lines = capsys.readouterr().out.splitlines()
    names = ["ours", "at_40_ms", "previous", "mfcc", "rms"]
    assert [line.split()[0] for line in lines[1:6]] == names
    assert lines[1].split()[2] == lines[3].split()[2], "the same weights name the same visemes"
    assert all(len(line) == len(lines[0]) for line in lines[1:6])


def test_the_folder_may_come_from_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(evaluate.DATA_VARIABLE, str(folder))
    evaluate.main(["--json"])
    assert json.loads(capsys.readouterr().out)["data"]["real_utterances"] == 1


def test_absent_data_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="error: no evaluation data in"):
        evaluate.main(["--json", "--data", str(tmp_path)])
    with pytest.raises(EvaluationDataError):
        evaluate.Data.read(tmp_path)


def test_weights_that_are_no_net_are_an_error(folder: Path) -> None:
    with pytest.raises(SystemExit, match="cannot load the voice-to-face net"):
        evaluate.main(["--data", str(folder), "--weights", str(folder / "absent.onnx")])


def test_the_net_is_heard_for_every_picture_and_the_first_is_at_0() -> None:
    net = evaluate.Net(None)
    assert len(net(np.zeros(16_000, np.float32))) == 25
    assert len(net(np.zeros(639, np.float32))) == 0
    sooner = evaluate.Net(None, look_ahead=SHORT_LOOK_AHEAD)
    assert len(sooner(np.zeros(16_000, np.float32))) == 25


def test_what_cannot_be_measured_is_null_and_not_nan() -> None:
    assert evaluate._tidy({"a": math.nan, "b": 0.12345}) == {"a": None, "b": 0.123}


def test_loudness_opens_the_jaw_a_little_ahead() -> None:
    sound = np.zeros(32_000, np.float32)
    sound[16_000:] = tone(1)
    heard = rms(sound)
    assert len(heard) == 50
    assert heard.aperture[:23].max() < 0.05
    assert heard.aperture[25] > 0.4
    assert heard.closing[10] > heard.closing[40]


def test_the_nearest_mean_spectrum_names_the_viseme() -> None:
    def buzz(i: int) -> np.ndarray:
        """Noise, most of it in a band of its own."""
        spectrum = np.fft.rfft(np.random.default_rng(i).standard_normal(3_200))
        hz = np.fft.rfftfreq(3_200, 1 / 16_000)
        spectrum *= 0.03 + np.exp(-(((hz - 300 * 1.2**i) / (60 * 1.2**i)) ** 2))
        sound = np.fft.irfft(spectrum)
        return 3_000 * sound / sound.std()

    names = ["sil", "m", "f", "T", "d", "k", "S", "s", "n", "r", "a", "E", "i", "O", "u"]
    sounds = [np.zeros(3_200), *(buzz(i) for i in range(14))]
    pcm = np.concatenate(sounds)
    segs = [Segment(i * 0.2, (i + 1) * 0.2, name) for i, name in enumerate(names)]
    known = Utterance("u", "toy", "ann", "en", pcm.astype(np.int16), segs)
    nearest = Mfcc(fit([known]))
    heard = nearest((pcm / 32_768).astype(np.float32))
    truth = np.repeat(np.arange(15), 5)
    assert heard.visemes is not None
    assert (heard.visemes == truth).mean() > 0.6
    assert heard.closing[7] > 0.5 > heard.closing[60]


def test_the_stored_mean_spectra_can_be_used() -> None:
    heard = Mfcc.packaged()(np.random.default_rng(0).uniform(-0.1, 0.1, 16_000).astype(np.float32))
    assert len(heard) == 25
    assert np.isfinite(heard.aperture).all()
