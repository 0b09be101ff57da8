"""The functions that compiled loops call are those of the library, to a few last bits."""

import math

import numpy as np
import numpy.typing as npt
import pytest

from avatar_worker.compiling import compiled
from avatar_worker.features.elementary import exp, log10, sigmoid, tanh

FloatArray = npt.NDArray[np.float32]


@compiled
def exps(x: FloatArray, y: FloatArray) -> None:
    for i in range(len(x)):
        y[i] = exp(x[i])


@compiled
def sigmoids(x: FloatArray, y: FloatArray) -> None:
    for i in range(len(x)):
        y[i] = sigmoid(x[i])


@compiled
def tanhs(x: FloatArray, y: FloatArray) -> None:
    for i in range(len(x)):
        y[i] = tanh(x[i])


@compiled
def logs(x: FloatArray, y: FloatArray) -> None:
    for i in range(len(x)):
        y[i] = log10(x[i])


def asked(function: object, x: FloatArray) -> npt.NDArray[np.float64]:
    assert callable(function)
    y = np.empty_like(x)
    function(x, y)
    return y.astype(np.float64)


WIDE = np.linspace(-86.9, 87.9, 100_001).astype(np.float32)
NARROW = np.linspace(-1, 1, 100_001).astype(np.float32)


@pytest.mark.parametrize("x", [WIDE, NARROW])
def test_powers_of_e_are_right_to_three_ten_millionths(x: FloatArray) -> None:
    assert np.abs(asked(exps, x) / np.exp(x.astype(np.float64)) - 1).max() < 3e-7


def test_powers_beyond_what_a_float_holds_stop_short_of_it() -> None:
    least, most = asked(exps, np.array([-1e30, 1e30], np.float32))
    assert 0 < least < 2e-38
    assert 1e38 < most < math.inf


@pytest.mark.parametrize("x", [WIDE, NARROW])
def test_sigmoids_and_tangents_are_right(x: FloatArray) -> None:
    true = x.astype(np.float64)
    assert np.abs(asked(sigmoids, x) - 1 / (1 + np.exp(-true))).max() < 3e-7
    assert np.abs(asked(tanhs, x) - np.tanh(true)).max() < 3e-7


def test_far_out_they_end_at_their_bounds() -> None:
    far = np.array([-np.inf, -1e4, 1e4, np.inf], np.float32)
    assert asked(tanhs, far).tolist() == [-1, -1, 1, 1]
    assert asked(sigmoids, far) == pytest.approx([0, 0, 1, 1], abs=1e-30)


@pytest.mark.parametrize("span", [(-6, 0), (-0.5, 0.5), (-30, 30)])
def test_logarithms_are_right(span: tuple[float, float]) -> None:
    x = (10 ** np.linspace(*span, 100_001)).astype(np.float32)
    true = np.log10(x.astype(np.float64))
    assert np.abs(asked(logs, x) - true).max() < 1e-7 * (4 + max(map(abs, span)))


def test_powers_of_two_and_their_neighbours_have_their_logarithms() -> None:
    twos = np.float32(2) ** np.arange(-100, 100, dtype=np.float32)
    x = np.concatenate([np.nextafter(twos, 0), twos, np.nextafter(twos, np.inf)]).astype(np.float32)
    assert asked(logs, x) == pytest.approx(np.log10(x.astype(np.float64)), abs=3e-6)
    assert asked(logs, np.ones(1, np.float32))[0] == 0
