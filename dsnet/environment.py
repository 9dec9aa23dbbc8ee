"""Where a run happens: device, versions, revision."""

import ctypes
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from dsnet.errors import ConfigError

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of malloc.h
PAGES = ("RESULTS.md", "index.html", "metrics.json", "ledger.jsonl", "figures/**")


def choose_device(name: str) -> torch.device:
    """Return the device called `name`; "auto" is the GPU if there is one.

    Raises:
        ConfigError: no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(
            f"--device {name}: not available here ({str(error).splitlines()[0]}); "
            "use auto, cpu or cuda:N"
        ) from error
    return torch.device(name)


def limit_threads(count: int) -> None:
    """Let torch and the linear algebra of numpy and scipy use so many threads.

    More than the jobs' share of cores is worse than slow: of small matrices, threads that wait for
    each other take a hundred times as long.
    """
    torch.set_num_threads(count)
    threadpool_limits(count)


def keep_freed_memory() -> None:
    """Let this process keep what it frees: each step of a training needs the same memory again.

    Else the system takes large tensors back at once and clears every page anew, which is a tenth
    and more of the training of a large network; its peak of memory grows by up to half. On Linux
    with glibc; elsewhere nothing changes.
    """
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    packages = {name: version(name) for name in ("dsnet", "torch", "torchaudio", "lhotse")}
    return {"python": platform.python_version(), **packages}


def git_revision() -> str:
    """Return the revision of this checkout, `-dirty` if it has changes; "unknown" outside git.

    Pages that stage 5 has written into a recipe's folder are no changes: they make no result.
    """
    pages = (f":(top,exclude,glob)egs/*/{name}" for name in PAGES)
    try:
        revision = _git("describe", "--always", "--abbrev=12")
        changes = _git("status", "--porcelain", "--untracked-files=no", "--", ":(top)", *pages)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{revision}-dirty" if changes else revision


def _git(*words: str) -> str:
    done = subprocess.run(
        ["git", *words], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
