"""Textures of closing lids and of folds over the skin's, on the texture plane."""

from __future__ import annotations

import numpy as np

from avatar_worker.compiling import Array, compiled

from .sampling import mix


@compiled
def lay_lid(skin: Array, stride: int, x0: int, y0: int, lid: Array, share: int) -> None:
    """Mix a lid over the skin's colours; the skin's alpha stays.

    Args:
        skin: Packed texture, flat, changed in the lid's box. uint32.
        stride: Pixels from one row to the next. Repeated last pixels are left as they are.
        x0: Column of the lid's first pixel.
        y0: Row of the lid's first pixel.
        lid: Straight alpha. uint8, (h, w, 4).
        share: How far the lid covers, in 1/256.
    """
    for y in range(lid.shape[0]):
        for x in range(lid.shape[1]):
            at = (y0 + y) * stride + x0 + x
            back = np.int64(skin[at])
            alpha = (np.int64(lid[y, x, 3]) * share + 128) >> 8
            front = (
                np.int64(lid[y, x, 0])
                | (np.int64(lid[y, x, 1]) << 8)
                | (np.int64(lid[y, x, 2]) << 16)
            )
            skin[at] = mix(back, front, alpha) | (back & 0xFF000000)
