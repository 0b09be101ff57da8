"""What fails for one session ends that session, and the others miss no picture."""

from __future__ import annotations

import gc
import logging
import threading
import weakref
from collections.abc import Iterator

import numpy as np
import pytest

from avatar_worker.engine import Engine, Pipeline
from avatar_worker.errors import AvatarError, DeviceError, PictureError
from avatar_worker.face import Gesture
from avatar_worker.features import Audio2Face
from fakes.avatars import tiny_avatar
from fakes.faults import FaultError, FaultyPipeline
from fakes.plain_renderer import PlainRenderer
from fakes.sitter import PATIENCE, draw_together, order_together, sit

STAGES = ("order", "hearing", "melody", "behaviour", "rendering")


@pytest.fixture
def pipeline() -> FaultyPipeline:
    return FaultyPipeline()


@pytest.fixture
def engine(pipeline: FaultyPipeline) -> Iterator[Engine]:
    engine = Engine(pipeline)
    yield engine
    engine.close()


@pytest.mark.parametrize("stage", STAGES)
def test_a_session_that_fails_is_told_and_its_neighbours_miss_no_picture(
    engine: Engine, pipeline: FaultyPipeline, stage: str
) -> None:
    ann, sick, bob = (sit(engine, name) for name in ("ann", "sick", "bob"))
    for number in range(6):
        if number == 2:
            pipeline.faults.sick["sick"] = stage
            order_together(engine, sick, ann, bob)
            ann.wait(3), bob.wait(3)
        elif number > 2:
            draw_together(engine, ann, bob)
        else:
            draw_together(engine, sick, ann, bob)
    error = sick.end()
    assert isinstance(error, PictureError)
    assert error.stage == {"melody": "hearing"}.get(stage, stage)
    assert error.raised == "FaultError"
    assert len(sick.pictures) == 2
    assert (ann.ends, bob.ends, len(sick.ends)) == ([], [], 1)
    assert engine.failures()[error.stage] == sum(engine.failures().values()) == 1
    assert engine.failed is None


def test_several_of_one_batch_fail_each_in_its_own_stage(
    engine: Engine, pipeline: FaultyPipeline
) -> None:
    sick = {stage: sit(engine, stage) for stage in STAGES}
    ann = sit(engine, "ann")
    draw_together(engine, ann, *sick.values())
    pipeline.faults.sick.update({stage: stage for stage in STAGES})
    order_together(engine, *sick.values(), ann)
    assert ann.wait(2)[1] is not None
    for stage, sitter in sick.items():
        error = sitter.end()
        assert isinstance(error, PictureError)
        assert error.stage == {"melody": "hearing"}.get(stage, stage)
    draw_together(engine, ann)
    assert engine.failed is None


def test_the_guilty_are_looked_for_once_and_not_for_every_picture_after(
    engine: Engine, pipeline: FaultyPipeline
) -> None:
    sitters = [sit(engine, name) for name in ("ann", "bob", "cid", "sick")]
    draw_together(engine, *sitters)
    pipeline.faults.alone = 0
    pipeline.faults.sick["sick"] = "rendering"
    order_together(engine, *sitters)
    sitters[3].end()
    for sitter in sitters[:3]:
        sitter.wait(2)
    for _ in range(3):
        draw_together(engine, *sitters[:3])
    assert pipeline.faults.alone == 4


@pytest.mark.parametrize("stage", ["hearing", "behaviour", "rendering"])
def test_who_shared_a_batch_with_the_guilty_looks_as_if_alone(
    engine: Engine, pipeline: FaultyPipeline, stage: str
) -> None:
    ann, sick, same = sit(engine, "ann", seed=4), sit(engine, "sick"), sit(engine, "same", seed=4)
    for number in range(8):
        if number == 3:
            pipeline.faults.sick["sick"] = stage
        order_together(engine, ann, *([sick] if number < 4 else []))
        ann.wait(number + 1)
        draw_together(engine, same)
    for disturbed, alone in zip(ann.pictures, same.pictures, strict=True):
        assert disturbed is not None
        assert alone is not None
        np.testing.assert_array_equal(disturbed.data, alone.data)
    heard, wanted = ann.seat.slot.features, same.seat.slot.features
    assert heard is not None
    assert wanted is not None
    assert heard.pts == wanted.pts
    np.testing.assert_allclose(heard.mouth, wanted.mouth, atol=1e-5)


def test_a_failed_seat_takes_no_orders_and_is_told_once(
    engine: Engine, pipeline: FaultyPipeline
) -> None:
    ann, sick = sit(engine, "ann"), sit(engine, "sick")
    pipeline.faults.sick["sick"] = "behaviour"
    with engine._changed:
        for sitter in (sick, sick, ann, sick):
            sitter.order()
    sick.end()
    pipeline.faults.sick.clear()
    sick.order()
    sick.seat.express(Gesture("nod"))
    draw_together(engine, ann)
    slot = sick.seat.slot.render
    sick.seat.close()
    sick.seat.close()
    draw_together(engine, ann)
    assert len(sick.ends) == 1
    assert sick.pictures == []
    assert getattr(slot, "closed", False), "its place was given back"


def test_a_picture_that_is_too_late_may_fail_its_session_too(
    engine: Engine, pipeline: FaultyPipeline
) -> None:
    ann, sick = sit(engine, "ann"), sit(engine, "sick")
    pipeline.faults.sick["sick"] = "order"
    with engine._changed:
        sick.order(late=True)
        ann.order()
    assert isinstance(sick.end(), PictureError)
    assert ann.wait(1)[0] is not None
    assert sick.pictures == []


def test_a_cue_that_a_face_cannot_take_ends_its_own_session(
    engine: Engine, pipeline: FaultyPipeline
) -> None:
    ann, sick = sit(engine, "ann"), sit(engine, "sick")
    pipeline.faults.sick["sick"] = "cue"
    for sitter in (sick, ann):
        sitter.seat.express(Gesture("nod"))
    error = sick.end()
    assert isinstance(error, PictureError)
    assert error.stage == "order"
    draw_together(engine, ann)


def test_a_session_that_cannot_take_its_picture_fails_alone(engine: Engine) -> None:
    ann, deaf = sit(engine, "ann"), sit(engine, "deaf")

    def refuse() -> None:
        raise FaultError

    deaf.answered = refuse
    order_together(engine, deaf, ann)
    error = deaf.end()
    assert isinstance(error, PictureError)
    assert error.stage == "delivery"
    assert ann.wait(1)[0] is not None


def test_who_cannot_even_be_told_disturbs_nobody(
    engine: Engine, pipeline: FaultyPipeline, caplog: pytest.LogCaptureFixture
) -> None:
    ann, sick = sit(engine, "ann"), sit(engine, "sick")
    sick.seat.failed = lambda error: 1 / 0  # type: ignore[assignment]
    pipeline.faults.sick["sick"] = "rendering"
    order_together(engine, sick, ann)
    ann.wait(1)
    draw_together(engine, ann)
    assert "a session could not be told that it failed" in caplog.messages


def test_a_place_that_cannot_be_given_back_is_counted_and_lets_the_others_go_on(
    engine: Engine, pipeline: FaultyPipeline
) -> None:
    ann, sick = sit(engine, "ann"), sit(engine, "sick")
    pipeline.faults.sick["sick"] = "closing"
    sick.seat.close()
    draw_together(engine, ann)
    assert engine.failures()["closing"] == 1
    assert (sick.ends, engine.failed) == ([], None)


def test_an_avatar_whose_preparation_fails_is_refused_and_disturbs_nobody(
    engine: Engine, pipeline: FaultyPipeline
) -> None:
    ann = sit(engine, "ann")
    for error, kind in (
        (FaultError(), PictureError),
        (AvatarError("it folds"), AvatarError),
        (DeviceError("no memory left"), DeviceError),
    ):
        pipeline.faults.error = error
        pipeline.faults.sick["sick"] = "opening"
        for _ in range(5):
            with pytest.raises(kind):
                sit(engine, "sick")
        draw_together(engine, ann)
    assert engine.failures()["opening"] == 5


def test_a_failure_is_logged_with_its_seat_its_stage_and_its_stack(
    engine: Engine, pipeline: FaultyPipeline, caplog: pytest.LogCaptureFixture
) -> None:
    ann, sick = sit(engine, "ann"), sit(engine, "sick")
    pipeline.faults.sick["sick"] = "rendering"
    order_together(engine, sick, ann)
    sick.end()
    (line,) = (line for line in caplog.records if line.levelno == logging.ERROR)
    assert line.getMessage() == "a session failed in the render engine"
    assert (line.__dict__["seat"], line.__dict__["stage"]) == (sick.seat.name, "rendering")
    assert line.exc_info is not None
    assert line.exc_info[0] is FaultError


def test_nothing_of_a_failed_session_waits_for_the_collector() -> None:
    pipeline = FaultyPipeline()
    engine, done = Engine(pipeline), threading.Event()
    pipeline.faults.sick["sick"] = "rendering"
    sick, ann = sit(engine, "sick"), sit(engine, "ann")
    slots = [weakref.ref(sick.seat.slot), weakref.ref(ann.seat.slot)]
    gc.collect()
    gc.disable()
    try:
        logging.disable()  # what catches logs keeps them, with their stacks
        order_together(engine, sick, ann)
        ann.wait(1), sick.end()
        sick.seat.close(), ann.seat.close()
        last = tiny_avatar("last")
        engine.open(last, seed=0, drawn=lambda order, frame: None).add_done_callback(
            lambda opened: done.set()
        )
        assert done.wait(PATIENCE)
        del sick.seat, ann.seat  # each is held by whom it tells
        assert [slot() for slot in slots] == [None, None]
    finally:
        logging.disable(logging.NOTSET)
        gc.enable()
        engine.close()


def test_among_64_voices_that_are_heard_at_once_only_the_odd_one_is_lost() -> None:
    engine = Engine(Pipeline(PlainRenderer(), Audio2Face()), max_batch=64)
    sitters = [sit(engine, seed=seed) for seed in range(64)]
    draw_together(engine, *sitters)
    with engine._changed:
        for number, sitter in enumerate(sitters):
            sitter.order(sound=np.zeros(3, np.float32) if number == 40 else None)
    odd = sitters.pop(40)
    assert isinstance(odd.end(), PictureError)
    assert all(sitter.wait(2)[1] is not None for sitter in sitters)
    draw_together(engine, *sitters)
    engine.close()
    assert engine.failed is None
    assert engine.failures()["hearing"] == 1
