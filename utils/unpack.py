"""Unpack a zip or tar archive; nothing is written unless all of it stays inside its folder."""

import contextlib
import fnmatch
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from download import FetchError, check_room, megabytes, size_of

MAX_MEMBERS = 100_000
DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError)


class BadArchive(FetchError):
    """An archive that is damaged or has a member that it should not have."""


@dataclass(frozen=True)
class Member:
    """A file in an archive; `plain` is false for links, devices and the like."""

    name: str
    num_bytes: int
    plain: bool
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, folder: Path, only: list[str], max_bytes: int) -> None:
    """Unpack an archive into an empty folder.

    Args:
        archive: zip or tar, told apart by content.
        folder: exists and is empty; after an error it may hold a part.
        only: patterns of whole member names, where * matches / too; empty: all members.
        max_bytes: what the members may have in all, as the archive itself declares.

    Raises:
        BadArchive: damaged, too large, or a member that does not stay in its folder, is no plain
            file, or is there twice.
        FetchError: the disk has too little room for it.
    """
    try:
        with opened(archive) as members:
            chosen = choose(members, only, max_bytes)
            check_room(folder, sum(member.num_bytes for member in chosen))
            print(f"  unpacking {len(chosen)} files", flush=True)
            for member in chosen:
                extract(member, folder / member.name)
    except DAMAGED as error:
        raise BadArchive(f"not a whole zip or tar archive ({error})") from error


@contextlib.contextmanager
def opened(archive: Path) -> Iterator[Iterator[Member]]:
    """Yield the members of an archive that are not folders."""
    with contextlib.ExitStack() as stack:
        if zipfile.is_zipfile(archive):
            yield zip_members(stack.enter_context(zipfile.ZipFile(archive)))
            return
        try:
            tarred = stack.enter_context(tarfile.open(archive))
        except tarfile.ReadError as error:  # its text lists every compression that it tried
            raise BadArchive("neither a zip nor a tar archive, or cut off") from error
        yield tar_members(tarred)


def zip_members(zipped: zipfile.ZipFile) -> Iterator[Member]:
    for info in zipped.infolist():
        if info.flag_bits & 1:
            raise BadArchive(f"member {info.filename!r} is encrypted")
        kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where it was packed without modes
        if not info.is_dir():
            plain = kind in (0, stat.S_IFREG)
            yield Member(info.filename, info.file_size, plain, lambda i=info: zipped.open(i))


def tar_members(tarred: tarfile.TarFile) -> Iterator[Member]:
    for info in tarred:
        if not info.isdir():
            name, size, plain = info.name, info.size, info.isreg()
            yield Member(name, size, plain, lambda i=info: tarred.extractfile(i))


def choose(members: Iterator[Member], only: list[str], max_bytes: int) -> list[Member]:
    """Return the members to unpack, all of them safe."""
    chosen: dict[PurePosixPath, Member] = {}
    total = 0
    for number, member in enumerate(members):
        if number == MAX_MEMBERS:
            raise BadArchive(f"over {MAX_MEMBERS:,} members; is this the corpus?")
        if only and not any(fnmatch.fnmatchcase(member.name, pattern) for pattern in only):
            continue
        total += member.num_bytes
        if total > max_bytes:
            raise BadArchive(f"over {megabytes(max_bytes)} unpacked; is this the corpus?")
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts or "\\" in member.name or not path.parts:
            raise BadArchive(f"member {member.name!r} leads out of its folder; nothing unpacked")
        if not member.plain:
            raise BadArchive(f"member {member.name!r} is a link or device; nothing unpacked")
        if path in chosen:
            raise BadArchive(f"member {member.name!r} is there twice; nothing unpacked")
        chosen[path] = member
    return list(chosen.values())


def extract(member: Member, path: Path) -> None:
    """Write a member; zipfile checks its CRC on the way."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with member.open() as source, path.open("xb") as out:
            shutil.copyfileobj(source, out, 1 << 20)
    except (FileExistsError, NotADirectoryError) as error:
        raise BadArchive(f"member {member.name!r} is in the way of another") from error
    except NotImplementedError as error:
        raise BadArchive(f"member {member.name!r}: {error}") from error
    if size_of(path) != member.num_bytes:
        raise BadArchive(
            f"member {member.name!r}: {size_of(path)} of {member.num_bytes} bytes are there"
        )
