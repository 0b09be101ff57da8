"""What is nobody's own fault ends the engine, and everybody is told why, once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from avatar_worker.engine import Engine, Seat
from avatar_worker.engine.isolation import MOST_IN_A_ROW, Blame, Failure, Stage, attempt, each
from avatar_worker.errors import DeviceError, PictureError
from fakes.avatars import tiny_avatar
from fakes.faults import FaultError, FaultyPipeline
from fakes.sitter import PATIENCE, draw_together, order_together, sit

LOST = "cuEventSynchronize answered CUDA_ERROR_LAUNCH_FAILED"


@pytest.fixture
def pipeline() -> FaultyPipeline:
    return FaultyPipeline()


@pytest.fixture
def engine(pipeline: FaultyPipeline) -> Iterator[Engine]:
    engine = Engine(pipeline)
    yield engine
    engine.close()


# -- the engine ----------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["hearing", "rendering"])
def test_a_lost_device_ends_everybody_with_one_reason(
    engine: Engine, pipeline: FaultyPipeline, stage: str
) -> None:
    sitters = [sit(engine, name) for name in ("ann", "bob", "cid")]
    draw_together(engine, *sitters)
    assert engine.stopped() is None
    pipeline.faults.error = DeviceError(LOST)
    pipeline.faults.sick["bob"] = stage
    pipeline.faults.alone = 0
    order_together(engine, *sitters)
    told = [sitter.end() for sitter in sitters]
    assert {(type(error), str(error)) for error in told} == {(DeviceError, LOST)}
    assert engine.wait_ended() is pipeline.faults.error
    assert pipeline.faults.alone == 0, "nobody is looked for when a device is lost"
    assert sum(engine.failures().values()) == 0
    assert engine.stopped() == f"the render engine has stopped: {LOST}"
    for late in (sitters[0].order, lambda: sit(engine, "dan")):
        with pytest.raises(DeviceError, match="engine has stopped: cuEventSynchronize"):
            late()
    for sitter in sitters:
        sitter.seat.close()
        assert len(sitter.ends) == 1


def test_a_stage_that_fails_for_everybody_ends_the_engine(
    engine: Engine, pipeline: FaultyPipeline, caplog: pytest.LogCaptureFixture
) -> None:
    names = ("ann", "bob", "cid", "dan")
    sitters = [sit(engine, name) for name in names]
    draw_together(engine, *sitters)
    pipeline.faults.sick.update(dict.fromkeys(names, "rendering"))
    order_together(engine, *sitters)
    reason = engine.wait_ended()
    assert isinstance(reason, DeviceError)
    assert "4 sessions failed" in str(reason)
    assert "rendering raised FaultError" in str(reason)
    assert [str(sitter.end()) for sitter in sitters] == [str(reason)] * 4
    stacks = [line for line in caplog.records if line.levelno == logging.ERROR and line.exc_info]
    assert len(stacks) == 4 + 1, "the stack of each, and the end"


def test_sessions_that_fail_one_after_the_other_without_a_picture_end_the_engine(
    engine: Engine, pipeline: FaultyPipeline
) -> None:
    sitters = [sit(engine, f"sick-{i}") for i in range(MOST_IN_A_ROW)]
    pipeline.faults.sick.update(dict.fromkeys((f"sick-{i}" for i in range(99)), "behaviour"))
    for sitter in sitters[:-1]:
        order_together(engine, sitter)
        assert isinstance(sitter.end(), PictureError)
        assert engine.failed is None
    order_together(engine, sitters[-1])
    assert isinstance(sitters[-1].end(), DeviceError)
    assert isinstance(engine.wait_ended(), DeviceError)


def test_a_picture_between_them_shows_that_the_engine_is_well(
    engine: Engine, pipeline: FaultyPipeline
) -> None:
    ann = sit(engine, "ann")
    pipeline.faults.sick["sick"] = "hearing"
    for _ in range(3 * MOST_IN_A_ROW):
        sick = sit(engine, "sick")
        order_together(engine, sick)
        assert isinstance(sick.end(), PictureError)
        draw_together(engine, ann)
    assert engine.failed is None


def test_a_device_that_is_lost_while_nobody_is_there_is_noticed_by_those_who_come(
    engine: Engine, pipeline: FaultyPipeline
) -> None:
    pipeline.faults.error = DeviceError(LOST)
    pipeline.faults.sick["demo"] = "opening"
    for _ in range(MOST_IN_A_ROW):
        assert engine.failed is None
        with pytest.raises(DeviceError, match=LOST):
            sit(engine, "demo")
    assert isinstance(engine.wait_ended(), DeviceError)


def test_who_waits_for_a_seat_when_the_engine_ends_is_told(
    engine: Engine, pipeline: FaultyPipeline
) -> None:
    pipeline.faults.error = DeviceError(LOST)
    pipeline.faults.sick.update(ann="rendering", closing="closing")
    ann, closing = sit(engine, "ann"), sit(engine, "closing")
    with engine._changed:
        closing.seat.close()
        waiting: Future[Seat] = engine.open(tiny_avatar(), seed=1, drawn=ann.drawn)
    assert isinstance(waiting.exception(PATIENCE), DeviceError)
    assert isinstance(engine.wait_ended(), DeviceError)
    assert str(ann.end()) == LOST
    assert closing.ends == []


def test_a_closed_engine_answers_who_still_waits_and_tells_nobody_that_it_failed(
    engine: Engine,
) -> None:
    ann = sit(engine, "ann")
    with engine._changed:
        waiting = engine.open(tiny_avatar(), seed=1, drawn=ann.drawn)
        engine._closing = True
    assert isinstance(waiting.exception(PATIENCE), DeviceError)
    assert engine.wait_ended() is None
    assert ann.ends == []


# -- who is to blame -----------------------------------------------------------------------------


def halves(numbers: list[int]) -> list[int]:
    if any(number % 2 for number in numbers):
        raise FaultError
    return [number // 2 for number in numbers]


def test_each_gets_its_own_result_or_its_own_failure_in_order() -> None:
    assert each(Stage.HEARING, halves, []) == []
    assert each(Stage.HEARING, halves, [2, 4]) == [1, 2]
    results = each(Stage.HEARING, halves, [2, 3, 4, 5])
    assert [one.stage if isinstance(one, Failure) else one for one in results] == [
        1,
        Stage.HEARING,
        2,
        Stage.HEARING,
    ]


def test_a_step_that_loses_a_result_has_failed() -> None:
    (one,) = each(Stage.RENDERING, lambda items: [], [1])
    assert isinstance(one, Failure)
    assert isinstance(one.error, ValueError)


def test_a_step_that_fails_only_in_company_is_remarked(caplog: pytest.LogCaptureFixture) -> None:
    def shy(items: list[int]) -> list[int]:
        if len(items) > 1:
            raise FaultError
        return items

    assert each(Stage.HEARING, shy, [1, 2]) == [1, 2]
    (line,) = caplog.records
    assert line.getMessage() == (
        "a stage failed for many sessions at once and for none of them alone"
    )


def test_a_lost_device_is_not_tried_again() -> None:
    tries = []

    def lost(items: list[int]) -> list[int]:
        tries.append(len(items))
        raise DeviceError(LOST)

    with pytest.raises(DeviceError):
        each(Stage.RENDERING, lost, [1, 2, 3])
    with pytest.raises(DeviceError):
        attempt(Stage.ORDER, lambda: lost([1]))
    assert tries == [3, 1]


def test_what_a_session_is_told_carries_no_foreign_text_and_no_stack() -> None:
    def leak() -> None:
        try:
            raise KeyError("wss://host?access_token=abc")
        except KeyError:
            raise FaultError("secret") from None

    failure = attempt(Stage.DELIVERY, leak)
    assert failure is not None
    told = failure.told()
    assert str(told) == "no more pictures can be made: delivery raised FaultError"
    assert told.__cause__ is told.__context__ is told.__traceback__ is None
    failure.let_go()
    assert failure.error.__traceback__ is None
    assert failure.error.__context__ is not None
    assert failure.error.__context__.__traceback__ is None


def test_blame_counts_by_stage_and_forgets_its_row_with_every_picture() -> None:
    blame, failure = Blame(), Failure(Stage.HEARING, FaultError())
    for _ in range(3):
        blame.book(failure)
        blame.judge(drawn=0, failed=[failure] * (MOST_IN_A_ROW - 1))
        blame.judge(drawn=1, failed=[failure] * 9)
    assert blame.counts() == {stage: 3 * (stage == "hearing") for stage in Stage}
    with pytest.raises(DeviceError, match="hearing raised FaultError"):
        blame.judge(drawn=0, failed=[failure] * MOST_IN_A_ROW)
