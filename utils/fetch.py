#!/usr/bin/env python3
"""Download a corpus as one archive, check it and unpack it, for local/download.sh of recipes.

Usage: fetch.py --url ADDRESS [--checksum md5:HEX | sha256:HEX | none] --holds NAME
                --max-bytes N [--only PATTERN]... [--lfs-url ADDRESS] FOLDER

FOLDER is whole or absent. Until then everything lies in FOLDER.download: the archive (.part until
it is complete and has its checksum), then what is unpacked of it. The same command goes on where it
stopped, and takes an archive that somebody put there by hand; at the end FOLDER.download goes.

NAME is a file or folder that the corpus has at its top. N bounds the bytes of all files. --only
chooses members of the archive by their whole name (* matches / too). With --lfs-url, unpacked files
that are Git LFS pointers are replaced by ADDRESS/<path>, each checked against its pointer.
"""

import argparse
import contextlib
import errno
import fcntl
import hashlib
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path, PurePosixPath
from urllib.parse import quote, urlsplit

from download import FetchError, Unreachable, check_room, download, megabytes, size_of
from unpack import BadArchive, unpack

PARALLEL = 8  # LFS files at a time
NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n"
    rb"oid sha256:(?P<sha256>[0-9a-f]{64})\nsize (?P<size>[0-9]+)\n"
)


def main() -> None:
    usage = "download.sh FOLDER [--url ADDRESS] [--checksum KIND:HEX] [--lfs-url ADDRESS]"
    parser = argparse.ArgumentParser(usage=usage, add_help=False, allow_abbrev=False)
    parser.add_argument("--url", required=True)
    parser.add_argument("--checksum", default="none")
    parser.add_argument("--holds", required=True)
    parser.add_argument("--max-bytes", type=int, required=True)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--lfs-url")
    parser.add_argument("folder")
    args = parser.parse_args()
    target = Path(os.path.abspath(args.folder))
    work = Path(f"{target}.download")
    again = "then run the same command again; it goes on where it stopped"
    try:
        check_options(args)
        if is_there(target, args.holds):
            shutil.rmtree(work, ignore_errors=True)  # of a run that was killed at its very end
            print(f"{target} is there and holds {args.holds}; nothing to do")
            return
        work.mkdir(parents=True, exist_ok=True)
        with locked(work):
            fetch(args, target, work)
    except FetchError as error:
        sys.exit(f"download: {error}")
    except OSError as error:
        if error.errno in NO_SPACE:
            sys.exit(f"download: no room left in {work} ({error.strerror}); make room, {again}")
        sys.exit(f"download: {error.filename or work}: {error.strerror}; mend that, {again}")
    except KeyboardInterrupt:
        sys.exit("download: interrupted; run the same command again, it goes on where it stopped")


def check_options(args: argparse.Namespace) -> None:
    for url in filter(None, (args.url, args.lfs_url)):
        if urlsplit(url).scheme not in ("http", "https"):
            raise FetchError(f"{url}: expected an address that begins with http:// or https://")
    if not re.fullmatch("none|md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", args.checksum):
        raise FetchError(
            f"--checksum {args.checksum}: expected md5: and 32 hex digits, sha256: and 64, or none"
        )


def is_there(target: Path, holds: str) -> bool:
    """Return whether the corpus is there; an empty folder counts as absent."""
    if (target / holds).exists():
        return True
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise FetchError(
            f"{target} is there, but holds no {holds}; give a folder that is not there yet"
        )
    return False


@contextlib.contextmanager
def locked(work: Path) -> Iterator[None]:
    """Hold the work folder for this process; a killed process lets go."""
    with (work / ".lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FetchError(f"{work}: another download works here; wait until it ends") from error
        yield


def fetch(args: argparse.Namespace, target: Path, work: Path) -> None:
    """Go through the steps that are not done: archive, unpacked tree, LFS files, rename."""
    tree = work / "unpacked"
    if not tree.exists():
        archive = get_archive(args.url, args.checksum, work)
        unfinished = work / "unpacking"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        try:
            unpack(archive, unfinished, args.only, args.max_bytes)
            find_root(unfinished, args.holds)
        except BadArchive as error:
            raise FetchError(f"{archive}: {error}. Remove it, then run again") from error
        unfinished.replace(tree)
    root = find_root(tree, args.holds)
    if args.lfs_url:
        replace_pointers(root, args.lfs_url, args.max_bytes)
    os.sync()  # so that the rename does not reach the disk before the files do
    root.replace(target)
    shutil.rmtree(work)
    files = sum(len(names) for _, _, names in os.walk(target))
    print(f"{target}: {files} files, complete; {work.name} is removed")


def find_root(tree: Path, holds: str) -> Path:
    """Return the folder that holds NAME: the tree itself or a folder at its top."""
    for root in (tree, *sorted(tree.iterdir())):
        if (root / holds).exists():
            return root
    there = ", ".join(path.name for path in sorted(tree.iterdir())[:5]) or "nothing"
    raise BadArchive(f"it holds {there}, but no {holds}; is it this corpus?")


def get_archive(url: str, checksum: str, work: Path) -> Path:
    """Return the archive, downloaded unless it is there, with the right checksum."""
    name = PurePosixPath(urlsplit(url).path).name
    if name in ("", ".."):
        raise FetchError(f"{url}: expected the address of a file")
    archive, part = work / name, work / f"{name}.part"
    if archive.exists():
        verify(archive, checksum, f"is it {url}, and complete? Remove it, then run again")
        return archive
    print(f"{url}\n  -> {archive}", flush=True)
    try:
        download(url, part, Progress(name, megabytes))
    except Unreachable as error:
        raise FetchError(
            f"{error}.\n  Run the same command again when it can be reached. Or fetch the file in "
            f"another way, put it at\n  {archive}\n  and run the same command, which goes on with "
            "it."
        ) from error
    try:
        verify(part, checksum, "it is removed; run again to download it anew")
    except FetchError:
        part.unlink()
        raise
    part.replace(archive)
    return archive


def verify(path: Path, checksum: str, advice: str) -> None:
    """Compare a file with its checksum; without one, print its SHA-256."""
    kind, _, wanted = checksum.partition(":")
    found = digest(path, kind if wanted else "sha256")
    if not wanted:
        print(f"  no published checksum; compare: SHA-256 is {found}", flush=True)
    elif found != wanted:
        raise FetchError(f"{path}: {kind} is {found}, expected {wanted}; {advice}")


def digest(path: Path, kind: str) -> str:
    """Return the hex digest of a file."""
    total = hashlib.new(kind, usedforsecurity=False)  # or md5 fails where FIPS rules are on
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            total.update(block)
    return total.hexdigest()


class Progress:
    """Prints a line for every tenth of what there is to do."""

    def __init__(self, name: str, unit: Callable[[int], str]):
        self.name, self.unit, self.tenth = name, unit, -1

    def __call__(self, done: int, total: int) -> None:
        tenth = 10 * done // total if total else done // 10_000_000
        if tenth != self.tenth:
            self.tenth = tenth
            of = f" of {self.unit(total)}" if total else ""
            print(f"  {self.name}: {self.unit(done)}{of}", flush=True)


def replace_pointers(root: Path, base: str, max_bytes: int) -> None:
    """Replace every LFS pointer below `root` by its file; those replaced before stay.

    Raises:
        FetchError: a file cannot be had or is not what its pointer says.
    """
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    pointers = [(path, pointer) for path in paths if (pointer := read_pointer(path))]
    total = sum(num_bytes for _, (_, num_bytes) in pointers)
    if total > max_bytes:
        raise FetchError(f"{base}: {megabytes(total)} in all, more than the corpus has")
    check_room(root, total)
    print(f"{base}\n  {len(pointers)} files ({megabytes(total)}) to fetch", flush=True)
    progress = Progress("fetched", "{:,}".format)
    with ThreadPoolExecutor(PARALLEL) as pool:
        jobs = [pool.submit(replace_pointer, root, base, *item) for item in pointers]
        try:
            for done, job in enumerate(as_completed(jobs), 1):
                job.result()
                progress(done, len(jobs))
        except Unreachable as error:
            raise FetchError(
                f"{error}.\n  Run the same command again later: it goes on with the files that are "
                "missing. (The owners' LFS quota of a month may be used up.)"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def read_pointer(path: Path) -> tuple[str, int] | None:
    """Return the SHA-256 and bytes that a pointer tells; None if the file is none."""
    if size_of(path) > 1024:
        return None
    found = POINTER.fullmatch(path.read_bytes())
    return (found["sha256"].decode(), int(found["size"])) if found else None


def replace_pointer(root: Path, base: str, path: Path, pointer: tuple[str, int]) -> None:
    """Fetch what a pointer stands for, check it and put it in its place."""
    sha256, num_bytes = pointer
    url = f"{base.rstrip('/')}/{quote(path.relative_to(root).as_posix())}"
    part = path.with_name(f"{path.name}.part")
    download(url, part, lambda done, total: None)
    found, size = digest(part, "sha256"), size_of(part)
    if (found, size) != pointer:
        part.unlink()
        raise FetchError(
            f"{url}: {size} bytes with SHA-256 {found}; its pointer says {num_bytes} bytes with "
            f"{sha256}. Run again to fetch it anew"
        )
    part.replace(path)


if __name__ == "__main__":
    main()
