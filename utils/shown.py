"""Paths as the user can type them: recipes work in their own folder, the user stands elsewhere.

recipe.sh sets DSNET_FROM to the recipe's folder as seen from the user; empty: they are the same.
"""

import os


def shown(path: str) -> str:
    """Return a path of the recipe as seen from where the user stands."""
    if os.path.isabs(path):
        return path
    return os.path.normpath(os.path.join(os.environ.get("DSNET_FROM", ""), path))
