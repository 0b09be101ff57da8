"""Which renderer a worker gets, and what the doctor says of it."""

from __future__ import annotations

import pytest
from tests.fakes.cuda_driver import NO_DEVICE, CpuAsGpu

from avatar_worker.cli import checks
from avatar_worker.cli.checks import Level
from avatar_worker.config import read_settings
from avatar_worker.errors import DeviceError
from avatar_worker.render.choose import make_renderer, most_at_once
from avatar_worker.render.cuda import driver

CARD = "NVIDIA T4, 15360 MiB"


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> CpuAsGpu:
    found = CpuAsGpu()
    monkeypatch.setattr(driver, "load_library", lambda: found)
    return found


@pytest.fixture
def no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise DeviceError("there is no NVIDIA driver on this machine (libcuda.so.1)")

    monkeypatch.setattr(driver, "load_library", missing)


def test_a_gpu_is_the_best_choice_where_there_is_one(gpu: CpuAsGpu) -> None:
    assert make_renderer("auto").name == make_renderer("cuda").name == "cuda"


def test_the_cpu_is_the_best_choice_elsewhere(
    no_driver: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    assert make_renderer("auto").name == "cpu"
    assert "faces are drawn by the CPU" in caplog.messages


def test_a_gpu_that_fails_at_the_start_is_passed_over_unless_it_was_asked_for(
    gpu: CpuAsGpu,
) -> None:
    gpu.fails = ("cuDevicePrimaryCtxRetain", NO_DEVICE)
    assert make_renderer("auto").name == "cpu"
    with pytest.raises(DeviceError, match="cuDevicePrimaryCtxRetain answered CUDA_ERROR_NO_DEVICE"):
        make_renderer("cuda")


def test_asking_for_a_gpu_that_is_not_there_says_what_is_missing(no_driver: None) -> None:
    with pytest.raises(DeviceError, match="no NVIDIA driver"):
        make_renderer("cuda")


def test_the_cpu_is_not_given_up_for_a_gpu_if_it_was_asked_for(gpu: CpuAsGpu) -> None:
    assert make_renderer("cpu").name == "cpu"
    assert gpu.calls == {}


def test_a_gpu_is_asked_for_more_pictures_at_a_time(gpu: CpuAsGpu) -> None:
    assert most_at_once(make_renderer("cuda")) > most_at_once(make_renderer("cpu"))


def said(**flags: str) -> checks.Finding:
    return next(checks._device(read_settings(**flags)))


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_cards", lambda: [CARD])


@pytest.fixture
def no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")


def test_the_doctor_names_the_gpu_that_draws(card: None, gpu: CpuAsGpu) -> None:
    assert (said().level, said().says) == (Level.GOOD, f"{CARD}; it draws the faces")


def test_the_doctor_finds_a_gpu_without_its_program(no_program: None, gpu: CpuAsGpu) -> None:
    assert said().says == "A CPU in disguise; it draws the faces"


def test_a_machine_without_a_gpu_is_fine(no_program: None, no_driver: None) -> None:
    found = said()
    assert (found.level, found.says) == (
        Level.NOTE,
        "there is none; faces are drawn by the CPU",
    )


def test_the_doctor_says_why_a_gpu_does_not_draw(card: None, no_driver: None) -> None:
    assert said().level is Level.NOTE
    assert said().says.startswith(f"{CARD}; faces are drawn by the CPU: there is no NVIDIA driver")


def test_a_gpu_that_was_asked_for_and_is_not_there_is_bad(no_driver: None) -> None:
    found = said(renderer="cuda")
    assert found.level is Level.BAD
    assert "asked for, but there is no NVIDIA driver" in found.says
    assert found.remedy


def test_the_doctor_knows_that_the_cpu_was_asked_for(gpu: CpuAsGpu) -> None:
    found = said(renderer="cpu")
    assert found.says == "A CPU in disguise; not used (AVATAR_WORKER_RENDERER)"
