"""Imports go one way: a package of dsnet may import itself and those of a lower layer."""

import ast
from pathlib import Path

import pytest

import dsnet

ROOT = Path(dsnet.__file__).parent
LAYERS = {
    "__main__": 12,
    "bin": 11,
    "report": 10,
    "probes": 9,
    "training": 8,
    "results": 7,
    "recognizer": 7,
    "systems": 6,
    "models": 5,
    "losses": 5,
    "scoring": 5,
    "folds": 4,
    "features": 4,
    "corpus": 3,
    "recipe": 2,
    "task": 2,
    "config": 2,
    "environment": 1,
    "files": 1,
    "errors": 0,
    "shown": 0,
}
FILES = sorted(p for p in ROOT.rglob("*.py") if p != ROOT / "__init__.py")


def imported_parts(path):
    """Return the parts of dsnet that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("dsnet.")}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_downwards(path):
    here = path.relative_to(ROOT).parts[0].removesuffix(".py")
    for there in imported_parts(path) - {here}:
        assert LAYERS[there] < LAYERS[here], f"{path}: dsnet.{there} is not below dsnet.{here}"
