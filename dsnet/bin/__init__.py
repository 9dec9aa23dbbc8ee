"""Programs, one a stage: parse, call, print."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from dsnet.errors import DsnetError
from dsnet.files import NO_SPACE
from dsnet.shown import show_paths, shown

BEGAN = time.monotonic()  # of the program: what it needs is imported after this


def run(main: Callable[[], None]) -> None:
    """Call `main`; an error that the user can mend ends the program without a traceback."""
    show_paths()
    try:
        main()
    except DsnetError as error:
        sys.exit(f"{Path(sys.argv[0]).stem}: {shown(str(error))}")
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        where = f"{error.filename}: " if error.filename else ""
        text = f"{where}{error.strerror}. Make room, then run the same command again"
        sys.exit(f"{Path(sys.argv[0]).stem}: {shown(text)}")
