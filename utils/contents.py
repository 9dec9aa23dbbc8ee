"""What identifies the content of files and folders, so that a change or damage is seen."""

import hashlib
import os

LARGE_BYTES = 1 << 20  # a larger file is not read again while its size and time stay


def digest(path: str) -> str | None:
    """Return what identifies the content of a file or the listing of a folder; None if missing."""
    if not os.path.exists(path):
        return None
    total = hashlib.sha256()
    if os.path.isdir(path):
        for line in sorted(_listing(path)):
            total.update(line.encode("utf-8", "surrogateescape"))
    else:
        with open(path, "rb") as stream:
            while block := stream.read(1 << 20):
                total.update(block)
    return total.hexdigest()[:16]


def _listing(top: str):
    """Yield a line a file: path below `top`, size, time of change; links are followed."""
    seen = set()
    for folder, folders, files in os.walk(top, followlinks=True):
        real = os.path.realpath(folder)
        kept = [f for f in folders if f[0] != "." and f != "tensorboard"]  # to be looked at only
        folders[:] = kept if real not in seen else []
        for name in files if real not in seen else []:
            path = os.path.join(folder, name)
            if name[0] != "." and os.path.exists(path):
                stat = os.stat(path)
                yield f"{os.path.relpath(path, top)}\0{stat.st_size}\0{stat.st_mtime_ns}\n"
        seen.add(real)


def state(path: str) -> list | None:
    """Return size, time of change and digest of a file; None of a folder, which may grow."""
    if os.path.isdir(path):
        return None
    stat = os.stat(path)
    return [stat.st_size, stat.st_mtime_ns, digest(path)]


def is_in_state(path: str, before: list | None) -> bool:
    """Say whether a file has the content that it had when `state` was asked; None: nobody knows."""
    if before is None or os.path.isdir(path):
        return True
    stat = os.stat(path)
    if stat.st_size != before[0]:
        return False
    if stat.st_size > LARGE_BYTES and stat.st_mtime_ns == before[1]:
        return True
    return digest(path) == before[2]
