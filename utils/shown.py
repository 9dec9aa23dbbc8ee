"""What the user sees: failures in red, paths as can be typed, no traceback of a full disk.

Recipes work in their own folder, the user stands elsewhere: recipe.sh sets DSNET_FROM to the
recipe's folder as seen from the user; empty: they are the same.
"""

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def shown(path: str) -> str:
    """Return a path of the recipe as seen from where the user stands."""
    if os.path.isabs(path):
        return path
    return os.path.normpath(os.path.join(os.environ.get("DSNET_FROM", ""), path))


def red(text: str) -> str:
    """Return a text that goes to stderr: in red on a terminal, unless NO_COLOR is set."""
    if not sys.stderr.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[31m{text}\x1b[0m"


def note(text: str) -> None:
    """Write a line to stderr; on a terminal in the place of a line of progress."""
    print(("\r\x1b[K" if sys.stderr.isatty() else "") + text, file=sys.stderr, flush=True)


def run(main: Callable[[], None]) -> None:
    """Call `main`; a full disk ends the program with a line."""
    try:
        main()
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        where = f"{shown(error.filename)}: " if error.filename else ""
        text = f"{where}{error.strerror}. Make room, then run the same command again"
        sys.exit(red(f"{Path(sys.argv[0]).stem}: {text}"))
