"""What the user sees: failures in red, paths as they can be typed from where the user stands.

Recipes work in their own folder, the user stands elsewhere: recipe.sh sets DSNET_FROM to the
recipe's folder as seen from the user; empty: they are the same.
"""

import os
import sys


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
