"""Files that are whole or absent, reading what may be damaged, digests, and locks on folders."""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dsnet.errors import DsnetError

NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` if the block succeeds.

    The temporary file keeps the suffixes of `path`, since writers such as Lhotse's choose
    the format by them. If the block raises, `path` stays as it was and the temporary file goes.

    Raises:
        DsnetError: the disk is full.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".tmp-", suffix=path.name)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())  # a full disk shows here, before the rename
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        if error.errno in NO_SPACE:
            raise DsnetError(
                f"{path}: not written: {error.strerror}; what was there before is unchanged. Make "
                "room, then run the same command again"
            ) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(folder: Path | str) -> Iterator[Path]:
    """Yield a temporary folder beside `folder`; it takes its place if the block succeeds."""
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".tmp-{folder.name}-"))
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        before = folder.exists()
        if before:
            folder.rename(temporary / ".before")
        try:
            temporary.rename(folder)
        except OSError:
            if before:
                (temporary / ".before").rename(folder)
            raise
        shutil.rmtree(folder / ".before", ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path | str, text: str) -> None:
    """Write `text` as UTF-8; the file is whole or absent."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_lines(path: Path | str) -> list[str]:
    """Return the lines of a UTF-8 text file without their ends.

    Raises:
        DsnetError: it is no such text.
    """
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DsnetError(
            f"{path}: expected text in UTF-8, found other bytes (at {error.start}); it is damaged: "
            "run the stage that writes it again"
        ) from error


def read_json(
    path: Path | str, error_class: type[DsnetError], remedy: str, keys: Collection[str] = ()
) -> dict[str, Any]:
    """Return the JSON object that a file holds.

    Args:
        path: of the file.
        error_class: of the error.
        remedy: what to do if it is missing or damaged, such as "rerun stage 4".
        keys: that the object must have; section.key is that of an object in it.

    Raises:
        DsnetError: of the class asked for; no such file, or no such object in it.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise error_class(f"{path}: no such file; {remedy}") from error
    except ValueError as error:  # no text, or no JSON
        raise error_class(f"{path}: not valid JSON ({error}); {remedy}") from error
    if not isinstance(content, dict):
        found = type(content).__name__
        raise error_class(f"{path}: not a JSON object but a {found}; {remedy}")
    absent = [key for key in keys if not _has(content, key.split("."))]
    if absent:
        raise error_class(f"{path}: expected {', '.join(keys)}; no '{absent[0]}'; {remedy}")
    return content


def _has(content: Any, keys: Sequence[str]) -> bool:
    for key in keys:
        if not isinstance(content, dict) or key not in content:
            return False
        content = content[key]
    return True


def files_below(
    folder: Path | str, on_error: Callable[[OSError], None] | None = None
) -> list[Path]:
    """Return the files of a folder and of those below it, sorted, without hidden ones.

    Links are followed, and each folder is looked at once: by its own name, if it has one below.

    Args:
        folder: to look through.
        on_error: is told of folders that cannot be read; None: they are raised.

    Raises:
        OSError: see `on_error`.
    """

    def refuse(error: OSError) -> None:
        raise error

    found, seen, waiting = [], set(), [os.fspath(folder)]
    while waiting:
        for name, folders, files in os.walk(waiting.pop(0), onerror=on_error or refuse):
            here = os.path.realpath(name)
            below = sorted(f for f in folders if f[0] != ".") if here not in seen else []
            links = [f for f in below if os.path.islink(os.path.join(name, f))]
            waiting += [os.path.join(name, f) for f in links]
            folders[:] = [f for f in below if f not in links]
            if here not in seen:
                found += [Path(name, file) for file in files if file[0] != "."]
            seen.add(here)
    return sorted(path for path in found if path.is_file())


def damage_of_zip(path: Path | str) -> str:
    """Say what is wrong with a zip file, such as torch and numpy write; nothing if it is whole.

    Its own checksums are looked at, which torch passes over.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    # a damaged directory ends in any of these: a name that is no text, an offset before the file
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError) as error:
        return f"it is no whole zip file ({error})"
    return f"'{damaged}' in it does not have its checksum" if damaged else ""


def digest(parts: Iterable[str | bytes]) -> str:
    """Return 16 hex digits that identify a sequence of texts."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "big") + data)
    return total.hexdigest()[:16]


@contextmanager
def locked(folder: Path | str) -> Iterator[None]:
    """Hold `folder` for this process; a killed process lets go.

    Raises:
        DsnetError: another process holds it.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            stream.seek(0)
            raise DsnetError(
                f"{folder}: another run ({stream.read().strip() or 'process unknown'}) works here; "
                "wait until it ends, or end that process there by kill"
            ) from error
        stream.truncate(0)
        stream.write(f"process {os.getpid()} on {os.uname().nodename}")
        stream.flush()
        yield
