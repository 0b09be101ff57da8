"""The renderer for GPUs: many sessions' pictures at once, read back as I420.

An avatar is uploaded once and shared by its sessions. A session has nothing of its own: a picture
depends on its controls alone. Pictures are made in lots, and while one lot is copied out of pinned
memory the device draws the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field as made, replace

import numpy as np
import numpy.typing as npt

from avatar_worker.avatars import Avatar
from avatar_worker.frames import FaceControls, VideoFrame
from avatar_worker.render.renderer import RenderSlot
from avatar_worker.render.shape_weights import Driver
from avatar_worker.render.vertices import VertexField

from . import fields
from .arena import Arena
from .blocks import Blocks
from .device import Device
from .packing import Packed, pack
from .workspace import Workspace

ARENA_STEP = 1 << 20
"""Numbers that an arena grows by: 4 MiB."""


@dataclass(eq=False, slots=True)
class Resident:
    """An avatar on the device.

    Attributes:
        packed: What of it stays here: sizes and roles; its arrays are given up.
        driver: Its controls' meaning.
        field: Its vertices.
        places: Where it begins in the arenas.
        slots: Who draws it.
    """

    packed: Packed
    driver: Driver
    field: VertexField
    places: tuple[int, int]
    slots: set[CudaSlot] = made(default_factory=set)


@dataclass(frozen=True, eq=False, slots=True)
class CudaSlot:
    """One session's share.

    Attributes:
        avatar: The avatar that it draws.
        resident: The same on the device.
    """

    avatar: Avatar
    resident: Resident


class CudaRenderer:
    """Draws on a device. One thread at a time; the GIL is free while it waits."""

    def __init__(self, device: Device) -> None:
        """Take the first memory.

        Raises:
            DeviceError: If there is not even that.
        """
        self._device = device
        self._residents: dict[tuple[str, int], Resident] = {}
        self._ints = Arena(device, "i4", ARENA_STEP)
        self._floats = Arena(device, "f4", ARENA_STEP)
        self._workspace = Workspace(device)
        self._blocks = Blocks()

    @property
    def name(self) -> str:
        """`cuda`."""
        return "cuda"

    @property
    def bytes_of_avatars(self) -> int:
        """Device memory that open avatars take."""
        return 4 * (self._ints.used + self._floats.used)

    @property
    def bytes_held(self) -> int:
        """Device memory that is held in all, beside the context's own."""
        arenas = self._ints.array.nbytes + self._floats.array.nbytes
        return arenas + self._workspace.nbytes

    def open(self, avatar: Avatar) -> CudaSlot:
        """Give a session its slot; the first one uploads the avatar.

        Raises:
            DeviceError: If the device has no memory left for it, or is lost.
        """
        key = _key(avatar)
        resident = self._residents.get(key)
        if resident is None:
            resident = self._residents[key] = self._upload(avatar)
        slot = CudaSlot(avatar, resident)
        resident.slots.add(slot)
        sessions = sum(len(one.slots) for one in self._residents.values())
        try:
            self._workspace.fit([one.packed for one in self._residents.values()], sessions)
        except BaseException:
            self.close(slot)
            raise
        return slot

    def render(self, jobs: Sequence[tuple[RenderSlot, FaceControls]]) -> list[VideoFrame]:
        """Draw one picture for each job, in order. Each frame owns its bytes.

        Raises:
            TypeError: If a slot is another renderer's.
            ValueError: If a slot has been closed.
            DeviceError: If the device is lost.
        """
        own: list[tuple[CudaSlot, FaceControls]] = []
        for slot, controls in jobs:
            if not isinstance(slot, CudaSlot):
                raise TypeError("this slot belongs to another renderer")
            if slot not in slot.resident.slots:
                raise ValueError("this slot has been closed")
            own.append((slot, controls))
        rows = max(1, self._workspace.rows)
        lots = [own[i : i + rows] for i in range(0, len(own), rows)]
        frames: list[VideoFrame] = []
        for i, lot in enumerate(lots):
            self._start(lot, i & 1)
            if i:
                frames += self._finish(lots[i - 1], (i - 1) & 1)
        if lots:
            frames += self._finish(lots[-1], (len(lots) - 1) & 1)
        return frames

    def close(self, slot: RenderSlot) -> None:
        """Give the slot back. Idempotent. The avatar leaves the device with its last slot."""
        if not isinstance(slot, CudaSlot) or slot not in slot.resident.slots:
            return
        resident = slot.resident
        resident.slots.discard(slot)
        if not resident.slots:
            del self._residents[_key(slot.avatar)]
            self._ints.give_back(resident.places[0])
            self._floats.give_back(resident.places[1])
            self._blocks.keep(one.packed.sizes["out"] for one in self._residents.values())

    def _upload(self, avatar: Avatar) -> Resident:
        vertices = VertexField(avatar)
        packed = pack(avatar, vertices)
        ints = self._ints.take(packed.ints)
        try:
            floats = self._floats.take(packed.floats)
        except BaseException:
            self._ints.give_back(ints)
            raise
        job = packed.job.copy()
        job[fields.INTS], job[fields.FLOATS] = ints, floats
        kept = replace(packed, ints=np.zeros(0, np.int32), floats=np.zeros(0, np.float32), job=job)
        return Resident(kept, Driver(avatar), vertices, (ints, floats))

    def _start(self, lot: Sequence[tuple[CudaSlot, FaceControls]], side: int) -> None:
        space = self._workspace
        space.begin(side)
        for slot, controls in lot:
            job, drive = space.add(slot.resident.packed)
            _fill(slot.resident, controls, job, drive)
        space.run(self._ints.array, self._floats.array)

    def _finish(self, lot: Sequence[tuple[CudaSlot, FaceControls]], side: int) -> list[VideoFrame]:
        frames = []
        pictures = self._workspace.pictures(side)
        for (slot, controls), data in zip(lot, pictures, strict=True):
            canvas = slot.avatar.canvas
            own = self._blocks.array(len(data))
            own[:] = data
            frames.append(VideoFrame(controls.pts, canvas.width, canvas.height, own))
        return frames


def _key(avatar: Avatar) -> tuple[str, int]:
    # An avatar that was never written to a file has no content id; then it is its own.
    return avatar.content_id, 0 if avatar.content_id else id(avatar)


def _fill(
    resident: Resident,
    controls: FaceControls,
    job: npt.NDArray[np.int32],
    drive: npt.NDArray[np.float32],
) -> None:
    """Write down what to draw."""
    packed, wanted = resident.packed, resident.driver.drive(controls)
    drive[: fields.POSE] = resident.field.turned_by(wanted.head)
    shares = [wanted.lids.get(role, 0.0) for role in packed.lids]
    travels = [wanted.shifts.get(role, (0.0, 0.0)) for role in packed.parts]
    first, weights = packed.job[fields.SHIFTS], packed.job[fields.WEIGHTS]
    drive[fields.POSE : first] = shares
    drive[first:weights] = np.array(travels, np.float32).ravel()
    drive[weights:] = wanted.weights
    job[fields.LID_COUNT] = len(shares) if any(shares) else 0
