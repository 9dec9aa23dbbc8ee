"""Files that are whole or absent, digests of their contents, and locks on folders."""

import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

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
    """Return the lines of a UTF-8 text file without their ends."""
    return Path(path).read_text(encoding="utf-8").splitlines()


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
                "wait until it ends, or stop it"
            ) from error
        stream.truncate(0)
        stream.write(f"process {os.getpid()} on {os.uname().nodename}")
        stream.flush()
        yield
