"""What programs print names paths as the user can type them, wherever the recipe's folder is.

Recipes work in their own folder; utils/recipe.sh says in DSNET_FROM where that is from the user.
"""

import os
import re
import sys
from typing import Any, TextIO

# an absolute path, maybe with spaces, or one that the recipe's programs see from its folder
_PATH = re.compile(
    r"(?<![\w./@-])(?:/[^\s,;:]*(?: [^\s/,;:]+/[^\s,;:]*)*"
    r"|(?P<own>(?:(?:\.{1,2}/)+|(?:data|exp|conf|local)/)[^\s,;:'\"()]*))"
)


def show_paths() -> None:
    """Let everything that is printed from now on pass through `shown`."""
    sys.stdout = Shown(sys.stdout)


def shown(text: str) -> str:
    """Return a text with the paths in it as seen from where the user stands."""
    start = os.environ.get("DSNET_FROM")
    if not start:
        return text

    def see(found: re.Match) -> str:
        return os.path.normpath(os.path.join(start, found[0])) if found["own"] else found[0]

    return _PATH.sub(see, text)


class Shown:
    """A stream to which texts go as `shown` returns them."""

    def __init__(self, stream: TextIO):
        self.stream = stream

    def write(self, text: str) -> int:
        return self.stream.write(shown(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)
