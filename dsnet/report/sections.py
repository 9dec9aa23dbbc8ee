"""Sections that only some pages have, in Markdown: stale results, what was tried."""

from collections.abc import Sequence
from pathlib import Path

from dsnet.results.staleness import Stale


def stale_md(stale: Sequence[Stale]) -> list[str]:
    """Return the section on results that do not count; nothing if all do."""
    if not stale:
        return []
    groups: dict[tuple[str, int, str], list[str]] = {}
    for one in stale:
        groups.setdefault((one.row, one.seed, one.changed), []).append(one.fold)
    lines = [
        f"- {row}, seed {seed}, folds {', '.join(folds)}: {changed} changed; rerun stages 3 and 4, "
        "or delete the lines from `ledger.jsonl`"
        for (row, seed, changed), folds in groups.items()
    ]
    return [
        "## Stale results",
        "Scored, but not with the present inputs; in no table above:",
        "\n".join(lines),
    ]


def tried_md(readme: Path) -> list[str]:
    """Return the section "What was tried" of a recipe's README; nothing if it has none.

    A result is worth less without the number of things that were tried for it.
    """
    if not readme.is_file():
        return []
    sections = readme.read_text(encoding="utf-8").split("\n## ")
    return [f"## {text.strip()}" for text in sections if text.startswith("What was tried\n")]
