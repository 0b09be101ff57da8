"""Whose fault it is when a stage fails: a session's own, or everybody's.

A `DeviceError` is everybody's at once. Whatever else a stage raises for many is tried again with
each alone, once; who fails alone is to blame. Where one after the other is to blame and nobody gets
a picture, the fault is none of theirs.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, ParamSpec, TypeVar

from avatar_worker.errors import DeviceError, PictureError

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")

MOST_IN_A_ROW: Final = 3
"""Sessions that may fail before the next picture is drawn for anybody."""


class Stage(StrEnum):
    """What can fail on the way of one session's pictures."""

    OPENING = "opening"
    """Its avatar is prepared."""
    ORDER = "order"
    """An order's sound and cues are taken."""
    HEARING = "hearing"
    """Its voice becomes a mouth and a melody."""
    BEHAVIOUR = "behaviour"
    """Mouth, melody and idle life become a face."""
    RENDERING = "rendering"
    """The face becomes a picture."""
    DELIVERY = "delivery"
    """The session is given the picture."""
    CLOSING = "closing"
    """Its place is given back."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A stage failed for one session.

    Attributes:
        stage: Which.
        error: What it raised.
    """

    stage: Stage
    error: Exception

    def told(self) -> PictureError:
        """Return what the session is told."""
        return PictureError(self.stage, type(self.error).__name__)

    def let_go(self) -> None:
        """Forget the stacks, whose frames hold what the batch was drawn with."""
        error: BaseException | None = self.error
        while error is not None:
            error.__traceback__ = None
            error = error.__cause__ or error.__context__


def each(
    stage: Stage, work: Callable[[Sequence[Item]], Sequence[Result]], items: Sequence[Item]
) -> list[Result | Failure]:
    """Work for many at once; if that fails, once more for each alone.

    Args:
        stage: What fails.
        work: Returns one result for each item, in order. Whatever it changes for an item must be
            as it was if it raises.
        items: For whom.

    Returns:
        The result of each item, or its failure, in order.

    Raises:
        DeviceError: If the device is lost, which is nobody's fault.
    """
    if not items:
        return []
    together = _try(stage, work, items)
    if not isinstance(together, Failure):
        return [*together]
    if len(items) == 1:
        return [together]
    alone = [_try(stage, work, [item]) for item in items]
    if not any(isinstance(one, Failure) for one in alone):
        logger.warning(
            "a stage failed for many sessions at once and for none of them alone",
            extra={"stage": stage.value},
            exc_info=together.error,
        )
    together.let_go()
    return [one if isinstance(one, Failure) else one[0] for one in alone]


def attempt(
    stage: Stage,
    work: Callable[Arguments, object],
    *args: Arguments.args,
    **kwargs: Arguments.kwargs,
) -> Failure | None:
    """Do something for one session, and return how it failed.

    Raises:
        DeviceError: If the device is lost.
    """
    try:
        work(*args, **kwargs)
    except DeviceError:
        raise
    except Exception as error:
        return Failure(stage, error)
    return None


def _try(
    stage: Stage, work: Callable[[Sequence[Item]], Sequence[Result]], items: Sequence[Item]
) -> Sequence[Result] | Failure:
    try:
        results = work(items)
        if len(results) != len(items):
            raise ValueError(f"{len(results)} results for {len(items)} items")
    except DeviceError:
        raise
    except Exception as error:
        return Failure(stage, error)
    return results


class Blame:
    """Counts failures, and notices when they are nobody's own. Reading is thread-safe."""

    def __init__(self) -> None:
        self._count = Counter({stage.value: 0 for stage in Stage})
        self._in_a_row = 0

    def counts(self) -> Mapping[str, int]:
        """Return how often each stage failed for somebody, by its name."""
        return dict(self._count)

    def book(self, failure: Failure) -> None:
        """Count a failure."""
        self._count[failure.stage.value] += 1

    def judge(self, *, drawn: int, failed: Sequence[Failure]) -> None:
        """Look at what came of a batch.

        Args:
            drawn: How many sessions got a picture.
            failed: Of the others, who failed.

        Raises:
            DeviceError: If too many sessions have failed since the last picture.
        """
        self._in_a_row = 0 if drawn else self._in_a_row + len(failed)
        if self._in_a_row >= MOST_IN_A_ROW:
            raise DeviceError(
                f"{self._in_a_row} sessions failed and none got a picture; {failed[-1].told()}"
            )
