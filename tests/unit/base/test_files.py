"""Files that are read within bounds, and how changes of their content are noticed."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from exporter.base.files import KIB, FileWatch, read


def test_read_returns_content_up_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * KIB)
    assert read(path, KIB) == b"x" * KIB


def test_read_rejects_a_larger_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * (KIB + 1))
    with pytest.raises(OSError, match="larger than 1 KiB") as raised:
        read(path, KIB)
    assert (raised.value.strerror, raised.value.filename) == ("larger than 1 KiB", str(path))


def test_read_rejects_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "file", KIB)


@pytest.mark.parametrize("name", ["a\0b", "a\udfff"])
def test_read_rejects_text_that_cannot_name_a_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(OSError, match="not the name of a file"):
        read(tmp_path / name, KIB)


def test_read_rejects_pipes_and_devices_without_waiting(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero"), tmp_path):
        with pytest.raises(OSError, match="not a regular file"):
            read(path, KIB)


def test_read_accepts_a_device_on_request_within_the_limit() -> None:
    assert read(Path("/dev/null"), KIB, regular=False) == b""
    with pytest.raises(OSError, match="larger than 1 KiB"):
        read(Path("/dev/zero"), KIB, regular=False)


def test_read_rejects_a_pipe_without_a_writer_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.base.files._WRITER_SECONDS", 0)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="no process has opened to write within 0 s; start its"):
        read(pipe, KIB, regular=False)


@pytest.mark.parametrize("seconds", [0, 60])
def test_read_waits_for_the_data_of_a_writer_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    monkeypatch.setattr("exporter.base.files._WRITER_SECONDS", seconds)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    kept = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(pipe, os.O_WRONLY)
    with ThreadPoolExecutor() as threads:
        found = threads.submit(read, pipe, 2 * KIB, regular=False)
        for part in (b"1", b"2" * KIB):
            os.write(writer, part)
        os.close(writer)
        assert found.result(60) == b"1" + b"2" * KIB
    os.close(kept)


def test_read_waits_for_a_writer_that_starts_later_on_request(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as threads:
        found = threads.submit(read, pipe, KIB, regular=False)
        threads.submit(pipe.write_bytes, b"1")
        assert found.result(60) == b"1"


def test_watch_notices_a_change_once(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("1")
    second.write_text("1")
    watch = FileWatch([first, second], KIB)
    assert not watch.changed()
    second.write_text("12")
    assert [watch.changed(), watch.changed()] == [True, False]


def test_watch_ignores_a_file_that_is_touched_or_replaced_by_a_copy(tmp_path: Path) -> None:
    path, copy = tmp_path / "file", tmp_path / "copy"
    path.write_text("1")
    watch = FileWatch([path], KIB)
    os.utime(path, ns=(1, 1))
    assert not watch.changed()
    copy.write_text("1")
    copy.replace(path)
    assert not watch.changed()


def test_watch_notices_content_of_the_same_size_and_time(tmp_path: Path) -> None:
    path, new = tmp_path / "file", tmp_path / "new"
    for each, content in ((path, "1"), (new, "2")):
        each.write_text(content)
        os.utime(each, ns=(1, 1))
    watch = FileWatch([path], KIB)
    new.replace(path)
    assert watch.changed()


def test_watch_follows_a_link_that_is_swapped(tmp_path: Path) -> None:
    # Kubernetes replaces the content of a mounted ConfigMap in this way.
    for version in ("1", "2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "file").write_text(version)
    (tmp_path / "data").symlink_to("1")
    (tmp_path / "file").symlink_to("data/file")
    watch = FileWatch([tmp_path / "file"], KIB)
    (tmp_path / "next").symlink_to("2")
    (tmp_path / "next").replace(tmp_path / "data")
    assert [watch.changed(), watch.changed()] == [True, False]


def test_watch_notices_that_a_file_cannot_be_read_and_that_it_can_again(tmp_path: Path) -> None:
    path = tmp_path / "file"
    watch = FileWatch([path, tmp_path / "a\0b"], KIB)
    path.write_text("1")
    assert watch.changed()
    path.unlink()
    assert [watch.changed(), watch.changed()] == [True, False]
    path.write_text("1")
    assert watch.changed()
    path.write_bytes(b"x" * (KIB + 1))
    assert watch.changed()


def test_watch_settles_once_the_last_part_of_a_file_is_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    watch = FileWatch([path], KIB)
    assert not watch.settled()
    path.write_text("first half, ")
    assert not watch.settled()
    with path.open("a") as file:
        file.write("second half")
    assert [watch.settled(), watch.settled(), watch.settled()] == [False, True, False]


def test_watch_does_not_settle_while_the_same_content_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    watch = FileWatch([path], KIB)
    path.write_text("new")
    assert not watch.settled()
    os.utime(path, ns=(1, 1))
    assert [watch.settled(), watch.settled()] == [False, True]


def test_watch_does_not_settle_on_other_content_with_the_same_stamps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system can have stamps that are coarser than two writes."""
    path = tmp_path / "file"
    path.write_text("old")
    monkeypatch.setattr("exporter.base.files._stamp", lambda path: (path.stat().st_size,))
    watch = FileWatch([path], KIB)
    path.write_text("first half")
    assert not watch.settled()
    path.write_text("whole text")
    assert [watch.settled(), watch.settled()] == [False, True]


def test_watch_of_a_settled_file_ignores_new_stamps(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("1")
    watch = FileWatch([path], KIB)
    os.utime(path, ns=(1, 1))
    assert [watch.settled(), watch.settled()] == [False, False]


def test_watch_never_waits_for_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    watch = FileWatch([path], KIB)
    os.utime(path, ns=(1, 1))
    assert not watch.changed()
