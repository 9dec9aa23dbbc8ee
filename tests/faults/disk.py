"""A disk that is full in a stage: it is named, and the stage goes on once there is room.

The disk is a file system in memory, which only root can mount.
"""

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from small_recipe import Recipe

LARGE = 2**30  # bytes
FULL = os.strerror(errno.ENOSPC)
SHARES = (0.0, 0.3, 0.7)  # of what the stage writes, for which there is room


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a disk of LARGE bytes on an empty folder, for a while."""
    options = f"size={LARGE}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def resize(folder: Path, num_bytes: int) -> None:
    """Change the size of a disk."""
    subprocess.run(["mount", "-o", f"remount,size={num_bytes}", folder], check=True)


def used(folder: Path) -> int:
    """Return how many bytes of a disk are in use."""
    disk = os.statvfs(folder)
    return (disk.f_blocks - disk.f_bfree) * disk.f_frsize


def fill_in_every_stage(
    top: Path, env: dict[str, str]
) -> Iterator[tuple[bool, str, Recipe | None]]:
    """Fill the disk in each stage of a run, once for each of SHARES, and make room again.

    Yields:
        Whether the stage named the full disk (or had room enough), and what it said; at last
        the recipe, which has ended, and is gone after that.

    Raises:
        CalledProcessError: no right to mount.
    """
    top.mkdir()
    with small_disk(top):
        recipe = Recipe(top / "a project", env)
        for stage in range(6):
            size = _size_of_stage(recipe, stage)
            for share in SHARES:
                resize(top, used(top) + int(share * size))
                done = recipe.run("--stop-stage", str(stage), check=False)
                resize(top, LARGE)
                said = (done.stdout + done.stderr).splitlines()
                named = [line.strip(" |") for line in said if FULL in line]
                well = bool(named or not done.returncode) and "Traceback" not in "".join(said)
                yield well, named[-1] if named else "".join(said[-1:]), None
            recipe.run("--stop-stage", str(stage))
        recipe.run()
        yield True, "", recipe


def _size_of_stage(recipe: Recipe, stage: int) -> int:
    """Return how many bytes a stage writes, by a copy of the recipe."""
    copy = Recipe(recipe.top.with_name("a copy"), recipe.env)
    shutil.copytree(recipe.top, copy.top, dirs_exist_ok=True)
    before = used(copy.top)
    copy.run("--stop-stage", str(stage))
    size = used(copy.top) - before
    shutil.rmtree(copy.top)
    return size
