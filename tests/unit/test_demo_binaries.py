from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from avatar_worker.demo import chromium, livekit_server
from avatar_worker.demo.child import KEPT_LINES, start_child
from avatar_worker.errors import ConfigError

PYTHON = f"#!{sys.executable}\n"


def program(path: Path, body: str = "") -> Path:
    """A Python program that can be run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(PYTHON + body)
    path.chmod(0o755)
    return path


def environment(home: Path, **more: str) -> dict[str, str]:
    """Nothing on PATH, a home of its own."""
    return {"HOME": str(home), "PATH": str(home / "bin"), **more}


# --- livekit-server -------------------------------------------------------------------------------


def test_the_variable_wins_over_path_and_cache(tmp_path: Path) -> None:
    named = program(tmp_path / "mine")
    program(tmp_path / "bin" / "livekit-server")
    env = environment(tmp_path, LIVEKIT_SERVER_BIN=str(named))
    assert livekit_server.find(env) == named


def test_path_wins_over_the_cache(tmp_path: Path) -> None:
    env = environment(tmp_path)
    on_path = program(tmp_path / "bin" / "livekit-server")
    program(livekit_server.cached_binary(env))
    assert livekit_server.find(env) == on_path


def test_the_cache_is_used_when_there_is_nothing_else(tmp_path: Path) -> None:
    env = environment(tmp_path)
    assert livekit_server.find(env) is None
    cached = program(tmp_path / ".cache" / "avaluma" / "bin" / "livekit-server-1.13.5")
    assert livekit_server.find(env) == cached


def test_the_cache_follows_xdg_cache_home(tmp_path: Path) -> None:
    env = environment(tmp_path, XDG_CACHE_HOME=str(tmp_path / "elsewhere"))
    assert livekit_server.cached_binary(env).is_relative_to(tmp_path / "elsewhere")


def test_a_variable_that_names_nothing_is_an_error_and_not_ignored(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "livekit-server")
    env = environment(tmp_path, LIVEKIT_SERVER_BIN=str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match="LIVEKIT_SERVER_BIN is .*nowhere"):
        livekit_server.find(env)


def test_without_a_server_and_without_go_the_sentence_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        livekit_server.find_or_build(environment(tmp_path))
    for remedy in ("LIVEKIT_SERVER_BIN", "`livekit-server` on PATH", "Go 1.26", "1.13.5"):
        assert remedy in str(caught.value)


def test_an_old_go_is_named_in_the_sentence(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "go", "print('go version go1.19.8 linux/amd64')\n")
    with pytest.raises(ConfigError, match=r"Go 1\.26 or newer.*go1\.19\.8"):
        livekit_server.find_or_build(environment(tmp_path))


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26)),
        ("go version go1.27 darwin/arm64", (1, 27)),
        ("go version devel +abc", None),
        ("", None),
    ],
)
def test_go_versions_are_read(text: str, version: tuple[int, int] | None) -> None:
    assert livekit_server.go_version(text) == version


GO = """
import os, pathlib, sys
if sys.argv[1] == "version":
    print("go version go1.26.8 linux/amd64")
else:
    print("fetching", sys.argv[2])
    {action}
"""


def test_a_build_lands_in_the_cache_under_its_version_and_tells_the_time(tmp_path: Path) -> None:
    action = "pathlib.Path(os.environ['GOBIN'], 'server').write_text(sys.argv[2])"
    program(tmp_path / "bin" / "go", GO.format(action=action))
    env, lines = environment(tmp_path), list[str]()
    built = livekit_server.find_or_build(env, lines.append)
    assert built == livekit_server.cached_binary(env)
    assert built.read_text() == livekit_server.MODULE
    assert "0 s so far, 3 to 4 minutes" in lines[0]
    assert [path.name for path in built.parent.iterdir()] == ["livekit-server-1.13.5"]


def test_a_build_that_fails_says_why_and_leaves_nothing_behind(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "go", GO.format(action="sys.exit('no such host')"))
    env = environment(tmp_path)
    with pytest.raises(ConfigError, match=r"(?s)failed: .*no such host.*module proxy"):
        livekit_server.find_or_build(env, lambda line: None)
    assert livekit_server.find(env) is None
    assert list(livekit_server.cached_binary(env).parent.iterdir()) == []


def test_a_build_can_be_given_up(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "go", GO.format(action="import time; time.sleep(60)"))
    give_up = threading.Event()
    started = time.monotonic()
    with pytest.raises(ConfigError, match="given up"):
        livekit_server.find_or_build(
            environment(tmp_path), lambda line: give_up.set(), give_up=give_up
        )
    assert time.monotonic() - started < 20


def test_the_configuration_stays_on_loopback() -> None:
    text = livekit_server.config(port=1, tcp_port=2, udp_port=3, api_key="k", api_secret="s")
    assert "bind_addresses: [127.0.0.1]" in text
    assert "node_ip: 127.0.0.1" in text
    assert "use_external_ip: false" in text


def test_the_command_prints_the_path_or_the_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIVEKIT_SERVER_BIN", str(program(tmp_path / "mine")))
    assert livekit_server.main() == 0
    assert capsys.readouterr().out == f"{tmp_path / 'mine'}\n"
    monkeypatch.delenv("LIVEKIT_SERVER_BIN")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert livekit_server.main() == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.strip() == livekit_server.HOW_TO_GET_ONE


# --- Chromium -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", chromium.NAMES)
def test_chromium_is_found_under_each_of_its_names(tmp_path: Path, name: str) -> None:
    there = program(tmp_path / "bin" / name)
    assert chromium.find(environment(tmp_path)) == there


def test_the_chromium_variable_wins(tmp_path: Path) -> None:
    named = program(tmp_path / "special")
    program(tmp_path / "bin" / "chromium")
    assert chromium.find(environment(tmp_path, CHROMIUM=str(named))) == named


def test_a_chromium_variable_that_names_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="CHROMIUM is"):
        chromium.find(environment(tmp_path, CHROMIUM="/nowhere/chromium"))


@pytest.mark.parametrize("is_root", [False, True])
def test_without_chromium_and_apt_get_the_sentence_says_what_to_do(
    tmp_path: Path, is_root: bool
) -> None:
    with pytest.raises(ConfigError, match=r"CHROMIUM.*apt-get install chromium"):
        chromium.find_or_install(environment(tmp_path), is_root=is_root)


def test_only_root_installs(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "apt-get", "raise SystemExit('must not run')\n")
    with pytest.raises(ConfigError, match=r"Chromium is missing"):
        chromium.find_or_install(environment(tmp_path), is_root=False)


def test_root_updates_the_lists_and_installs_the_package(tmp_path: Path) -> None:
    log, target = tmp_path / "log", tmp_path / "bin" / "chromium"
    program(
        tmp_path / "bin" / "apt-get",
        "import pathlib, sys\n"
        f"with open({str(log)!r}, 'a') as log: log.write(' '.join(sys.argv[1:]) + '\\n')\n"
        "if sys.argv[1] == 'install':\n"
        f"    p = pathlib.Path({str(target)!r}); p.write_text(''); p.chmod(0o755)\n",
    )
    assert chromium.find_or_install(environment(tmp_path), is_root=True) == target
    assert log.read_text().splitlines() == ["update", "install --yes chromium"]


# --- child processes ------------------------------------------------------------------------------


def child(body: str) -> list[str]:
    return [sys.executable, "-u", "-c", body]


def test_a_child_s_lines_can_be_waited_for_and_read() -> None:
    process = start_child(child("print('READY'); input()"), env=os.environ, name="test")
    try:
        assert process.wait_for_line("READY", 20)
        assert "READY" in process.tail(50)
    finally:
        process.stop()


def test_waiting_for_a_line_ends_with_the_child() -> None:
    process = start_child(child("print('other')"), env=os.environ, name="test")
    started = time.monotonic()
    assert not process.wait_for_line("READY", 30)
    assert time.monotonic() - started < 20
    assert process.wait(5)
    process.stop()
    assert process.returncode == 0


def test_a_child_that_ignores_the_signal_is_ended_all_the_same() -> None:
    body = "import signal, time; signal.signal(15, signal.SIG_IGN); print('UP'); time.sleep(60)"
    process = start_child(child(body), env=os.environ, name="test")
    assert process.wait_for_line("UP", 20)
    process.stop(grace_s=0.2)
    assert process.returncode == -9


def test_grandchildren_end_too() -> None:
    body = (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(p.pid); print('UP'); time.sleep(60)"
    )
    process = start_child(child(body), env=os.environ, name="test")
    assert process.wait_for_line("UP", 20)
    grandchild = int(process.tail(2).splitlines()[0])
    process.stop(grace_s=2)
    deadline = time.monotonic() + 5
    while Path(f"/proc/{grandchild}/stat").exists() and time.monotonic() < deadline:
        if Path(f"/proc/{grandchild}/stat").read_text().split()[2] == "Z":
            break
    assert time.monotonic() < deadline


def test_the_output_that_is_kept_is_bounded() -> None:
    process = start_child(child("for n in range(20_000): print(n)"), env=os.environ, name="test")
    assert process.wait(30)
    lines = process.tail(10**9).splitlines()
    assert len(lines) == KEPT_LINES
    assert lines[-1] == "19999"
    process.stop()


def test_stopping_twice_is_harmless() -> None:
    process = start_child(child("pass"), env=os.environ, name="test")
    process.stop()
    process.stop()
    assert process.returncode is not None
