"""Programs, one a stage: parse, call, print."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from dsnet.errors import DsnetError
from dsnet.shown import show_paths, shown

BEGAN = time.monotonic()  # of the program: what it needs is imported after this


def run(main: Callable[[], None]) -> None:
    """Call `main`; an error that the user can mend ends the program without a traceback."""
    show_paths()
    try:
        main()
    except DsnetError as error:
        sys.exit(f"{Path(sys.argv[0]).stem}: {shown(str(error))}")
