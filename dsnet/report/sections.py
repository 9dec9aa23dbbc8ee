"""Sections that only some pages have: probes of embeddings, stale results, what was tried."""

from collections.abc import Sequence
from pathlib import Path

from dsnet.report.tables import markdown_table
from dsnet.results.staleness import Stale


def probes_md(header: list[str], rows: list[list[str]]) -> list[str]:
    """Return the section on probes from the cells of its table; nothing if there are none."""
    if not rows:
        return []
    return [
        "## What the embeddings tell",
        "Balanced accuracy in percent of a linear probe [95 % over folds]; of nearest neighbours, "
        "for embeddings of speakers that the network was not trained on. Disentangled would be: e "
        "tells the emotion and is near a guess for all else, s the reverse. Similarity: debiased "
        "linear CKA (0: none, 1: the same geometry). Decisions: of utterances recombined from the "
        "e of one and the s of another, percent decided as the one that gave e, gave s, neither.",
        markdown_table(header, rows),
    ]


def stale_md(stale: Sequence[Stale]) -> list[str]:
    """Return the section on results that do not count; nothing if all do."""
    if not stale:
        return []
    groups: dict[tuple[str, int, str], list[str]] = {}
    for one in stale:
        groups.setdefault((one.system, one.seed, one.changed), []).append(one.fold)
    lines = [
        f"- {system}, seed {seed}, folds {', '.join(folds)}: {changed} changed; "
        "rerun stages 3 and 4, or delete the lines from `ledger.jsonl`"
        for (system, seed, changed), folds in groups.items()
    ]
    return ["## Stale results", "Scored, but not with the present inputs; in no table above:"] + [
        "\n".join(lines)
    ]


def tried_md(readme: Path) -> list[str]:
    """Return the section "What was tried" of a recipe's README; nothing if it has none.

    A result is worth less without the number of things that were tried for it.
    """
    if not readme.is_file():
        return []
    sections = readme.read_text(encoding="utf-8").split("\n## ")
    return [f"## {text.strip()}" for text in sections if text.startswith("What was tried\n")]
