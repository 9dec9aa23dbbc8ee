#!/usr/bin/env python3
"""Download a corpus as one archive, check it and unpack it, for local/download.sh of recipes.

FOLDER is whole or absent. Until then all is in FOLDER.download: `archive` once it is complete and
has its checksum, then what is unpacked of it. The same command goes on with what is missing (a file
that was cut off comes anew), and takes an `archive` that somebody put there by hand.
"""

import argparse
import os
import re
import shutil
import sys
import tarfile
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from lzma import LZMAError
from pathlib import Path, PurePosixPath

try:
    import pooch
    from requests import RequestException
    from tqdm import tqdm

    from dsnet.errors import DsnetError
    from dsnet.files import locked
except ModuleNotFoundError as error:
    sys.exit(f"download: {error}; install the project first: bash utils/setup.sh")

PARALLEL = 8  # LFS files at a time
POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize [0-9]+\n"
)
DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, LZMAError, EOFError, RuntimeError)


def main() -> None:
    usage = "download.sh FOLDER [--url ADDRESS] [--checksum KIND:HEX] [--lfs-url ADDRESS]"
    parser = argparse.ArgumentParser(usage=usage, add_help=False, allow_abbrev=False)
    parser.add_argument("--url", required=True)
    parser.add_argument("--checksum", help="md5:HEX or sha256:HEX")
    parser.add_argument("--holds", required=True, help="a file or folder that the corpus has")
    parser.add_argument("--only", action="append", help="members of the archive; * matches / too")
    parser.add_argument("--lfs-url", help="where the files of Git LFS pointers are, by their path")
    parser.add_argument("folder")
    args = parser.parse_args()
    target = Path(os.path.abspath(args.folder))
    work = Path(f"{target}.download")
    pooch.get_logger().setLevel("WARNING")  # it would print a line for every file
    try:
        if (target / args.holds).exists():
            print(f"{target} is there and holds {args.holds}; nothing to do")
        elif target.exists() and not (target.is_dir() and not any(target.iterdir())):
            raise DsnetError(f"{target} is there, but holds no {args.holds}; give a new folder")
        else:
            with locked(work):
                download(args, target, work)
    except RequestException as error:
        sys.exit(
            f"download: {error}\n  Run the same command again when the address can be reached. Or "
            f"fetch\n  {args.url}\n  in another way, put it at\n  {work / 'archive'}\n  and run "
            "the same command."
        )
    except (DsnetError, OSError, ValueError) as error:  # ValueError: pooch's, of a checksum
        sys.exit(f"download: {error}")
    except KeyboardInterrupt:
        sys.exit("download: interrupted; run the same command again to go on")


def download(args: argparse.Namespace, target: Path, work: Path) -> None:
    """Go through the steps that are not done: archive, unpacked tree, LFS files, rename."""
    tree = work / "unpacked"
    if not tree.exists():
        print(f"{args.url}\n  -> {work / 'archive'}", flush=True)
        bar = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), chunk_size=1 << 16)
        source = open_source(work, {"archive": args.checksum}, urls={"archive": args.url})
        archive = Path(source.fetch("archive", downloader=bar))
        if not args.checksum:
            print(f"  no published checksum; its SHA-256 is {pooch.file_hash(str(archive))}")
        unfinished = work / "unpacking"
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            unpack(archive, unfinished, args.only or ["*"])
            find_root(unfinished, args.holds)
        except (*DAMAGED, DsnetError) as error:
            raise DsnetError(f"{archive}: {error}. Remove it, then run again") from error
        unfinished.replace(tree)
    root = find_root(tree, args.holds)
    if args.lfs_url:
        replace_pointers(root, work / "lfs", args.lfs_url)
    root.replace(target)
    shutil.rmtree(work)
    print(f"{target}: {sum(path.is_file() for path in target.rglob('*'))} files, complete")


def open_source(folder: Path, registry: dict, address: str = "", **more) -> pooch.Pooch:
    """Return what fetches the files of a registry (name -> checksum) into a folder."""
    return pooch.create(folder, address, registry=registry, retry_if_failed=1, **more)


def unpack(archive: Path, folder: Path, only: list[str]) -> None:
    """Unpack the members that match a pattern; none may lead out of the folder."""

    def wanted(name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in only)

    if not zipfile.is_zipfile(archive):
        with tarfile.open(archive) as tarred:
            members = [member for member in tarred if wanted(member.name)]
            tarred.extractall(folder, members, filter="data")
        return
    with zipfile.ZipFile(archive) as zipped:  # it checks each member's CRC
        names = [name for name in zipped.namelist() if wanted(name)]
        for name in names:
            if name.startswith("/") or "\\" in name or ".." in PurePosixPath(name).parts:
                raise DsnetError(f"member {name!r} leads out of its folder")
        zipped.extractall(folder, names)


def find_root(tree: Path, holds: str) -> Path:
    """Return the folder that holds what the corpus has: the tree itself or one at its top."""
    top = sorted(tree.iterdir()) if tree.exists() else []
    for root in (tree, *top):
        if (root / holds).exists():
            return root
    there = ", ".join(path.name for path in top[:5]) or "nothing"
    raise DsnetError(f"it holds {there}, but no {holds}; is it this corpus?")


def replace_pointers(root: Path, folder: Path, address: str) -> None:
    """Replace every LFS pointer by its file, which comes into `folder` first."""
    registry = {}
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        with path.open("rb") as stream:
            if found := POINTER.fullmatch(stream.read(1024)):
                registry[path.relative_to(root).as_posix()] = found[1].decode()
    for name in registry:  # pooch's threads would get in each other's way
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    source = open_source(folder, registry, f"{address.rstrip('/')}/")
    print(f"{address}\n  {len(registry)} files to fetch", flush=True)
    with ThreadPoolExecutor(PARALLEL) as pool:
        jobs = {name: pool.submit(source.fetch, name) for name in registry}
        try:
            for name, job in tqdm(jobs.items(), unit=" files", disable=None):
                os.replace(job.result(), root / name)
        finally:
            pool.shutdown(cancel_futures=True)


if __name__ == "__main__":
    main()
