"""Files that are whole or absent, and folders that one process holds."""

import errno
import os
import subprocess
import sys

import pytest

from dsnet.errors import DsnetError
from dsnet.files import digest, files_below, locked, replacing, write_text


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    write_text(path, "old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        assert temporary.name.endswith(".jsonl.gz")
        raise RuntimeError
    assert path.read_text() == "old" and os.listdir(tmp_path) == [path.name]


def test_a_full_disk_leaves_the_old_file(tmp_path):
    """A child that may not write over 1000 bytes a file, as on a disk that is full."""
    path = tmp_path / "a"
    write_text(path, "old")
    code = (
        "import resource, signal; from dsnet.files import write_text\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        f"write_text({str(path)!r}, 'new' * 1000)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode != 0
    assert f"DsnetError: {path}: not written: File too large; what was there" in done.stderr
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a"]


def test_new_files_have_the_usual_permissions(tmp_path):
    (tmp_path / "usual").touch()
    write_text(tmp_path / "ours", "")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_digest_tells_where_a_part_ends():
    assert digest(["ab", "c"]) != digest(["a", "bc"])
    assert digest(["ab"]) == digest([b"ab"])


def test_a_folder_is_held_by_one_process_until_it_ends(tmp_path):
    code = (
        "import sys; from dsnet.files import locked\n"
        f"with locked({str(tmp_path)!r}): print('mine', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout.readline() == b"mine\n"
    with pytest.raises(DsnetError, match=f"another run .process {holder.pid} .* works here"):
        locked(tmp_path).__enter__()
    holder.kill()
    holder.wait()
    with locked(tmp_path):
        pass


def test_files_below_a_folder_through_links_and_round_a_loop(tmp_path):
    for name in ("top/b", "top/a.wav", "top/deep/c", "top/.hidden", "top/.git/d", "other/e"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "top/link").symlink_to("../other")
    (tmp_path / "other/back").symlink_to("../top")
    (tmp_path / "top/broken").symlink_to("nowhere")
    found = [str(path.relative_to(tmp_path / "top")) for path in files_below(tmp_path / "top")]
    assert found == ["a.wav", "b", "deep/c", "link/e"]
    (tmp_path / "top/an_alias_that_comes_first").symlink_to("deep")
    assert [
        str(path.relative_to(tmp_path / "top")) for path in files_below(tmp_path / "top")
    ] == found
    with pytest.raises(FileNotFoundError):
        files_below(tmp_path / "none")


def test_a_folder_below_that_cannot_be_read_is_no_empty_one(tmp_path, monkeypatch):
    """Root reads everything, so that the system's answer is given here."""
    (tmp_path / "shut").mkdir()
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("shut"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError, match="shut"):
        files_below(tmp_path)
    told = []
    assert files_below(tmp_path, told.append) == [] and len(told) == 1
