"""Download a file over HTTP; what was cut off goes on from where it stopped."""

import http.client
import shutil
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

ATTEMPTS = 3  # in a row that bring nothing
PAUSE_SECONDS = 1.0  # before the second attempt; twice that before the third
TIMEOUT_SECONDS = 30.0  # without a byte
BLOCK = 1 << 16
PARTIAL_CONTENT = 206
RANGE_NOT_SATISFIABLE = 416
TRY_AGAIN = {429, 500, 502, 503, 504}
BROKEN = (ConnectionError, TimeoutError, ssl.SSLError, http.client.HTTPException)


class FetchError(Exception):
    """Something that the user has to mend or to wait for."""


class Unreachable(FetchError):
    """An address that gives nothing; the file may come in another way."""


def download(url: str, part: Path, report: Callable[[int, int], None]) -> None:
    """Bring the file `part` to completion from wherever it stands.

    Args:
        url: an http or https address.
        part: what an earlier call got of it, or nothing; beside it, while it is incomplete, lies
            `<part>.version`: which version of the file it is of.
        report: is told the bytes that are there and those of the whole file (0: unknown).

    Raises:
        Unreachable: the address refuses, or breaks off again and again without progress.
        FetchError: the disk has too little room for it.
    """
    best, failures = size_of(part), 0
    while True:
        try:
            receive(url, part, report)
            break
        except HTTPError as error:
            reason = f"HTTP {error.code} {error.reason}"
            if error.code == RANGE_NOT_SATISFIABLE and part.exists():
                if error.headers.get("Content-Range") == f"bytes */{size_of(part)}":
                    break  # nothing was missing
                part.unlink()
            elif error.code not in TRY_AGAIN:
                raise Unreachable(f"{url}: {reason}") from error
        except URLError as error:
            reason = f"no connection ({error.reason})"
            if not isinstance(error.reason, (ConnectionResetError, TimeoutError)):
                raise Unreachable(f"{url}: {reason}") from error
        except BROKEN as error:
            reason = f"the connection broke ({str(error) or type(error).__name__})"
        failures = 1 if size_of(part) > best else failures + 1
        best = max(best, size_of(part))
        if failures == ATTEMPTS:
            raise Unreachable(f"{url}: {reason}; tried {ATTEMPTS} times")
        time.sleep(PAUSE_SECONDS * failures)
    version_of(part).unlink(missing_ok=True)


def receive(url: str, part: Path, report: Callable[[int, int], None]) -> None:
    """Ask once for what `part` lacks and append it; a server that sends all starts it anew."""
    have, version = size_of(part), version_of(part)
    headers = {"User-Agent": "dsnet-fetch", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if version.exists():  # a file that changed since comes as a whole
            headers["If-Range"] = version.read_text()
    with urlopen(Request(url, headers=headers), timeout=TIMEOUT_SECONDS) as response:
        partial = response.status == PARTIAL_CONTENT
        if partial and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            part.unlink()
            raise ConnectionError("the server sent another range than it was asked for")
        if not partial:
            have = 0
            part.unlink(missing_ok=True)
            remember(response.headers, version)
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else 0
        check_room(part.parent, total - have)
        with part.open("ab") as stream:
            while block := response.read1(BLOCK):
                stream.write(block)
                stream.flush()  # a killed download keeps all that came
                report(stream.tell(), total)
    if size_of(part) < total:
        raise ConnectionError(f"ended after {size_of(part)} of {total} bytes")


def remember(headers: http.client.HTTPMessage, version: Path) -> None:
    """Write what identifies the version of a file, in the form that If-Range takes."""
    tag = headers.get("ETag", "")
    tag = tag if tag.startswith('"') else headers.get("Last-Modified", "")  # not a weak one: W/
    version.unlink(missing_ok=True)
    if tag:
        version.write_text(tag)


def version_of(part: Path) -> Path:
    """Return where the version of an incomplete file is noted."""
    return part.with_name(f"{part.name}.version")


def size_of(path: Path) -> int:
    """Return the bytes of a file, 0 if there is none."""
    return path.stat().st_size if path.exists() else 0


def check_room(folder: Path, needed: int) -> None:
    """Stop before a disk is full.

    Raises:
        FetchError: gives both figures.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise FetchError(
            f"{folder}: {megabytes(needed)} needed, {megabytes(free)} free; make room, then run "
            "the same command again"
        )


def megabytes(count: int) -> str:
    """Return a number of bytes in words."""
    return f"{count / 1e6:,.1f} MB"
