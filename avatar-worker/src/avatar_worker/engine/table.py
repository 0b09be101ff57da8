"""What the engine's thread does for its seats: make them, draw for them, give them up, close them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future

from avatar_worker.avatars import Avatar
from avatar_worker.errors import AvatarError, DeviceError, PictureError
from avatar_worker.face import Cue

from .isolation import Blame, Failure, Stage, attempt
from .pipeline import PictureOrder, Pipeline, Slot
from .seat import Seat

logger = logging.getLogger(__name__)

Ordered = tuple[Seat, PictureOrder]


class Table:
    """Every seat that is taken. But for `failures`, used by the engine's thread alone.

    Every method raises `DeviceError` where a failure is nobody's own: then all must be told.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._seats: set[Seat] = set()
        self._blame = Blame()

    def failures(self) -> Mapping[str, int]:
        """Return how often each stage failed for a session, by `Stage`. From any thread."""
        return self._blame.counts()

    def open(
        self, result: Future[Seat], avatar: Avatar, seed: int, seat_of: Callable[[Slot], Seat]
    ) -> None:
        """Make a seat, unless it was taken back before."""
        if not result.set_running_or_notify_cancel():
            return
        try:
            slot = self._pipeline.open(avatar, seed=seed)
        except AvatarError as error:
            result.set_exception(error)
        except DeviceError as error:
            result.set_exception(error)
            # Others' pictures show whether it was only short of memory. Without others nothing does.
            if not self._seats:
                self._blame.judge(drawn=0, failed=[Failure(Stage.OPENING, error)])
        except Exception as error:
            failure = Failure(Stage.OPENING, error)
            self._note(failure, avatar=avatar.id)
            result.set_exception(failure.told())
            failure.let_go()
        else:
            seat = seat_of(slot)
            self._seats.add(seat)
            result.set_result(seat)

    def express(self, seat: Seat, cue: Cue) -> None:
        """Hand a cue to a seat's face."""
        if failure := attempt(Stage.ORDER, seat.slot.express, cue):
            self._give_up({seat: failure}, drawn=0)

    def close(self, seat: Seat) -> None:
        """Give a slot back."""
        self._seats.discard(seat)
        if failure := attempt(Stage.CLOSING, self._pipeline.close, seat.slot):
            self._note(failure, seat=seat.name)
            failure.let_go()

    def draw(self, drawn: Sequence[Ordered], late: Sequence[Ordered]) -> None:
        """Draw a batch, and answer every order of it; whoever fails is told instead.

        Args:
            drawn: Each seat at most once.
            late: Answered without a picture. Their sound and cues are taken all the same.
        """
        failed: dict[Seat, Failure] = {}

        for seat, order in [*late, *drawn]:
            if seat not in failed and (failure := attempt(Stage.ORDER, seat.slot.accept, order)):
                failed[seat] = failure
        for seat, order in late:
            if seat not in failed and (failure := attempt(Stage.DELIVERY, seat.drawn, order, None)):
                failed[seat] = failure
        jobs = [(seat, order) for seat, order in drawn if seat not in failed]
        pictures = self._pipeline.draw_each([(seat.slot, order) for seat, order in jobs])
        there = 0
        for (seat, order), picture in zip(jobs, pictures, strict=True):
            if isinstance(picture, Failure):
                failed[seat] = picture
            else:
                there += 1
                if failure := attempt(Stage.DELIVERY, seat.drawn, order, picture):
                    failed[seat] = failure
        self._give_up(failed, drawn=there)

    def end(self, reason: str) -> None:
        """Tell everybody that there will be no more pictures."""
        seats, self._seats = self._seats, set()
        for seat in seats:
            _tell(seat, DeviceError(reason))

    def _give_up(self, failed: Mapping[Seat, Failure], *, drawn: int) -> None:
        for seat, failure in failed.items():
            self._note(failure, seat=seat.name)
        self._blame.judge(drawn=drawn, failed=[*failed.values()])
        for seat, failure in failed.items():
            failure.let_go()
            seat.given_up = True
            seat.cancel()
            if seat in self._seats:
                self._seats.discard(seat)
                _tell(seat, failure.told())

    def _note(self, failure: Failure, **fields: str) -> None:
        self._blame.book(failure)
        logger.error(
            "a session failed in the render engine",
            extra={"stage": failure.stage.value, **fields},
            exc_info=failure.error,
        )


def _tell(seat: Seat, error: PictureError | DeviceError) -> None:
    try:
        seat.failed(error)
    except Exception:
        logger.exception("a session could not be told that it failed", extra={"seat": seat.name})
