"""What the judge needs of a renderer: pictures, and how far every slit is open in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

from avatar_worker.avatars.avatar import Avatar
from avatar_worker.frames import FaceControls

Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]


class Stage(Protocol):
    """One avatar that can be asked to make any face."""

    @property
    def avatar(self) -> Avatar:
        """The avatar."""
        ...

    def picture(self, face: FaceControls) -> Bytes:
        """Return the picture as a viewer decodes it, RGB. uint8, (H, W, 3)."""
        ...

    def opened(self, slit: str, face: FaceControls) -> Floats:
        """Return the share of a slit's inside that shows in every pixel, [0, 1]. (H, W)."""
        ...

    def placed(self, face: FaceControls) -> Mapping[tuple[str, str], Floats]:
        """Return where the vertices lie, canvas pixels: (V, 2) for each mesh and layer of skin."""
        ...

    def gaze(self, face: FaceControls) -> Mapping[str, tuple[float, float]]:
        """Return how far both irises, `l` and `r`, are told to move (x, y), canvas pixels."""
        ...
