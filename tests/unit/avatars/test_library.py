from __future__ import annotations

import os
import threading
from datetime import date
from pathlib import Path

import pytest

from avatar_worker.avatars import Avatar, AvatarLibrary, library as library_module
from avatar_worker.avatars.format import Policy, pack_avatar, write_avatar
from avatar_worker.avatars.library import MAX_LOADED, packaged_folder
from avatar_worker.errors import (
    AvatarCorruptError,
    AvatarNotFoundError,
    AvatarRefusedError,
    AvatarUnsupportedError,
)
from fakes.avatars import tiny_avatar


def put(folder: Path, avatar_id: str, *, seed: int = 0, **manifest: object) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{avatar_id}.hvia"
    write_avatar(tiny_avatar(avatar_id, seed=seed, **manifest), path)
    return path


def later(path: Path) -> None:
    """Move the modification time on, as a slow clock would not."""
    found = path.stat()
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 1_000_000_000))


def only(folder: Path, **options: Policy) -> AvatarLibrary:
    return AvatarLibrary([folder], packaged=False, **options)


def test_the_served_id_is_the_file_name_and_case_is_kept(tmp_path: Path) -> None:
    put(tmp_path, "Maya-2")
    library = only(tmp_path)
    assert library.ids() == ("Maya-2",)
    assert library.open("Maya-2").id == "Maya-2"
    with pytest.raises(AvatarNotFoundError) as caught:
        library.open("maya-2")
    assert caught.value.known == ("Maya-2",)


def test_an_entry_says_what_a_listing_shows(tmp_path: Path) -> None:
    path = put(tmp_path, "maya", name="Maya")
    (entry,) = only(tmp_path).list()
    assert (entry.id, entry.title, entry.ok, entry.code) == ("maya", "Maya", True, "")
    assert (entry.size, entry.fps, entry.subject) == ((64, 80), 25, "synthetic")
    assert (entry.path, entry.bytes) == (path, path.stat().st_size)
    assert entry.content_id == only(tmp_path).open("maya").content_id


def test_a_refused_file_is_listed_and_hides_no_other(tmp_path: Path) -> None:
    path = put(tmp_path, "good")
    (tmp_path / "foreign.hvia").write_bytes(b"IMX\0" * 500)
    (tmp_path / "empty.hvia").write_bytes(b"")
    (tmp_path / "half.hvia").write_bytes(path.read_bytes()[:-100])
    library = only(tmp_path)
    codes = {entry.id: entry.code for entry in library.list()}
    assert codes == {
        "empty": "E_SIZE",
        "foreign": "E_FOREIGN",
        "good": "",
        "half": "E_ENVELOPE",
    }
    messages = {entry.id: entry.message for entry in library.list()}
    assert messages["foreign"].startswith("foreign.hvia is not an open HVIA file.")
    assert library.open("good").id == "good"
    with pytest.raises(AvatarUnsupportedError):
        library.open("foreign")
    with pytest.raises(AvatarCorruptError):
        library.open("half")


@pytest.mark.parametrize(
    "avatar_id",
    ["../secret", "..", ".", "", "/etc/passwd", "sub/inner", "secret.hvia", "good\0", "a" * 200],
)
def test_an_id_leads_nowhere_but_to_a_listed_file(tmp_path: Path, avatar_id: str) -> None:
    folder = tmp_path / "avatars"
    put(folder, "good")
    put(folder / "sub", "inner")
    put(tmp_path, "secret")
    with pytest.raises(AvatarNotFoundError):
        only(folder).open(avatar_id)


def test_names_that_are_no_ids_are_not_served(tmp_path: Path) -> None:
    content = pack_avatar(tiny_avatar())
    for name in (".hidden.hvia", "two words.hvia", "-dash.hvia", "maya.HVIA", "maya.zip", "ü.hvia"):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder.hvia").mkdir()
    os.mkfifo(tmp_path / "pipe.hvia")
    assert only(tmp_path).ids() == ()


def test_two_ids_that_differ_only_in_case_are_both_refused(tmp_path: Path) -> None:
    put(tmp_path, "Maya")
    put(tmp_path, "maya")
    put(tmp_path, "other")
    library = only(tmp_path)
    assert [(e.id, e.code) for e in library.list()] == [
        ("Maya", "E_NAME"),
        ("maya", "E_NAME"),
        ("other", ""),
    ]
    for avatar_id in ("Maya", "maya"):
        with pytest.raises(AvatarCorruptError) as caught:
            library.open(avatar_id)
        assert (caught.value.code, caught.value.rule) == ("E_NAME", "V28")


def test_an_avatar_is_loaded_once_and_shared(tmp_path: Path) -> None:
    put(tmp_path, "maya")
    library = only(tmp_path)
    assert library.open("maya") is library.open("maya")


def test_equal_content_is_in_memory_once_under_each_name(tmp_path: Path) -> None:
    first = put(tmp_path, "maya")
    (tmp_path / "copy.hvia").write_bytes(first.read_bytes())
    library = only(tmp_path)
    a, b = library.open("maya"), library.open("copy")
    assert (a.id, b.id) == ("maya", "copy")
    assert a.layers["skin"].pixels is b.layers["skin"].pixels


def test_a_changed_file_is_read_again_and_old_sessions_keep_theirs(tmp_path: Path) -> None:
    put(tmp_path, "maya", name="before")
    library = only(tmp_path)
    before = library.open("maya")
    later(put(tmp_path, "maya", seed=1, name="after"))
    after = library.open("maya")
    assert (before.manifest["name"], after.manifest["name"]) == ("before", "after")
    assert library.list()[0].title == "after"


def test_a_file_that_is_repaired_is_served(tmp_path: Path) -> None:
    path = tmp_path / "maya.hvia"
    path.write_bytes(b"half a file" * 200)
    library = only(tmp_path)
    assert not library.list()[0].ok
    later(put(tmp_path, "maya"))
    assert library.list()[0].ok
    assert library.open("maya").id == "maya"


def test_a_file_that_is_removed_is_gone(tmp_path: Path) -> None:
    path = put(tmp_path, "maya")
    library = only(tmp_path)
    library.open("maya")
    path.unlink()
    assert library.list() == []
    with pytest.raises(AvatarNotFoundError):
        library.open("maya")


def test_a_folder_may_appear_later(tmp_path: Path) -> None:
    library = only(tmp_path / "later")
    assert library.list() == []
    put(tmp_path / "later", "maya")
    assert library.ids() == ("maya",)


def test_an_earlier_folder_wins(tmp_path: Path) -> None:
    put(tmp_path / "one", "maya", name="first")
    put(tmp_path / "two", "maya", name="second")
    put(tmp_path / "two", "other")
    library = AvatarLibrary([tmp_path / "one", tmp_path / "two"], packaged=False)
    assert library.ids() == ("maya", "other")
    assert library.open("maya").manifest["name"] == "first"


def test_packaged_avatars_yield_to_the_operators(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "wheel", "demo", name="packaged")
    put(tmp_path / "wheel", "extra", name="packaged")
    put(tmp_path / "own", "Demo", name="own")
    monkeypatch.setattr(library_module, "packaged_folder", lambda: tmp_path / "wheel")
    library = AvatarLibrary([tmp_path / "own"])
    assert library.ids() == ("Demo", "extra")
    assert library.open("Demo").manifest["name"] == "own"
    assert AvatarLibrary([]).open("demo").manifest["name"] == "packaged"


def test_the_packaged_folder_lies_in_the_package() -> None:
    assert packaged_folder().parts[-3:] == ("avatar_worker", "assets", "avatars")


def test_consent_that_ends_is_noticed_by_a_running_worker(tmp_path: Path) -> None:
    consent = {
        "subject": "real_person",
        "granted_on": "2026-01-01",
        "expires_on": "2999-12-31",
        "scope": ["realtime"],
        "statement_sha256": "00" * 32,
        "evidence": "held by the operator",
        "contact": "rights@example.org",
    }
    put(tmp_path, "maya", consent=consent)

    library = only(tmp_path, policy=Policy(today=date(2026, 6, 1)))
    library.open("maya")
    library._policy = Policy(today=date(3000, 1, 1))
    with pytest.raises(AvatarRefusedError) as caught:
        library.open("maya")
    assert caught.value.code == "E_CONSENT"
    assert library.list()[0].code == "E_CONSENT"


def test_memory_is_bounded_and_what_was_used_longest_ago_goes(tmp_path: Path) -> None:
    for i in range(MAX_LOADED + 1):
        put(tmp_path, f"a{i:02}", seed=i)
    library = only(tmp_path)
    first = library.open("a00")
    second = library.open("a01")
    for i in range(2, MAX_LOADED):
        library.open(f"a{i:02}")
    assert library.open("a00") is first
    library.open(f"a{MAX_LOADED:02}")
    assert library.open("a00") is first
    assert library.open("a01") is not second


def test_many_threads_get_the_same_avatar(tmp_path: Path) -> None:
    put(tmp_path, "maya")
    library = only(tmp_path)
    barrier = threading.Barrier(8)
    got: list[Avatar] = []

    def open_at_once() -> None:
        barrier.wait()
        got.append(library.open("maya"))

    threads = [threading.Thread(target=open_at_once, name=f"open-{i}") for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 8
    assert all(avatar is got[0] for avatar in got)
    assert not library._loading
