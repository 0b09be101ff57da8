"""Fill holes in a picture from what surrounds them."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def push_pull(rgb: npt.NDArray[np.generic], known: npt.NDArray[np.generic]) -> Floats:
    """Return the picture with its unknown pixels filled smoothly.

    Source: Gortler et al., "The Lumigraph", 1996 (push-pull over a pyramid).

    Args:
        rgb: A picture. (h, w, channels).
        known: How far each pixel can be trusted, in [0, 1]. (h, w).

    Returns:
        float32, (h, w, channels); trusted pixels keep their values.
    """
    weight = np.asarray(known, np.float32)
    pyramid = [(np.asarray(rgb, np.float32) * weight[..., None], weight)]
    while max(pyramid[-1][1].shape) > 1:
        colour, weight = pyramid[-1]
        height, width = weight.shape
        size = ((width + 1) // 2, (height + 1) // 2)
        smaller = np.asarray(cv2.resize(colour, size, interpolation=cv2.INTER_AREA), np.float32)
        weights = np.asarray(cv2.resize(weight, size, interpolation=cv2.INTER_AREA), np.float32)
        pyramid.append((smaller.reshape(size[1], size[0], -1), weights.reshape(size[1], size[0])))
    colour, weight = pyramid[-1]
    filled = colour / np.maximum(weight, 1e-6)[..., None]
    for colour, weight in reversed(pyramid[:-1]):
        height, width = weight.shape
        coarse = cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR)
        coarse = coarse.reshape(colour.shape)
        own = np.clip(4 * weight, 0, 1)[..., None]
        filled = own * colour / np.maximum(weight, 1e-6)[..., None] + (1 - own) * coarse
    return np.asarray(filled, np.float32)


def to_bytes(picture: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Round to 0..255. uint8."""
    return np.clip(np.rint(np.asarray(picture, np.float64)), 0, 255).astype(np.uint8)
