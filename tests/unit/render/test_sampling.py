"""How colours are mixed."""

import numpy as np

from avatar_worker.render.sampling import mix


def test_mixing_rounds_to_nearest_for_every_pair_of_bytes() -> None:
    front, alpha = (grid.ravel() for grid in np.meshgrid(np.arange(256), np.arange(256)))
    back = (front * 7 + alpha * 3) % 256
    expected = np.rint((front * alpha + back * (255 - alpha)) / 255).astype(int)
    grey = 0x010101
    found = [
        mix.py_func(int(b) * grey, int(f) * grey, int(a))
        for b, f, a in zip(back, front, alpha, strict=True)
    ]
    assert found == (expected * grey).tolist()
