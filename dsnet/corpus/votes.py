"""Several rows for one clip, a row a listener: one row, with the label that most of them gave."""

import os
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from dsnet.corpus.problems import Problems
from dsnet.corpus.row import Row

TIE = "tie"  # the label of a clip without a majority
VOTES = "votes"  # the custom field: how many listeners gave each label


def count_votes(rows: Sequence[Row], problems: Problems) -> tuple[list[Row], list[str]]:
    """Return a row a clip, in the order of their first rows, and what was done, in words.

    Rows are of one clip if path, start, end and channel are equal. Its label is the one with more
    votes than any other, or `tie`; all votes are in `custom`, the most frequent first. A further
    column that differs between rows of one clip holds a list in every clip: a value a row, None for
    an empty cell. Where rows of one clip have several ids, no row keeps its own.

    Args:
        rows: of the whole table.
        problems: takes clips whose rows contradict one another in other facts than these, and
            names that are used here.
    """
    clips: dict[tuple, list[Row]] = {}
    for row in rows:
        span = [row.facts.get(name) for name in ("start", "end", "channel")]
        # without a path, which is a problem already, it is a clip of its own
        clips.setdefault((os.path.normpath(row.path) if row.path else row.where, *span), []).append(
            row
        )
    listed = {
        name
        for of_clip in clips.values()
        for name in {name for row in of_clip for name in row.facts["custom"]}
        if any(
            row.facts["custom"].get(name) != of_clip[0].facts["custom"].get(name) for row in of_clip
        )
    }
    merged = [_merge(of_clip, listed, problems) for of_clip in clips.values()]
    ties = [row.path for row in merged if row.facts.get("emotion") == TIE]
    more = ", ..." if len(ties) > 3 else ""
    tied = f"; {len(ties)} without a majority have the label '{TIE}': " if ties else ""
    notes = [f"{len(rows)} rows are votes on {len(merged)} clips{tied}{', '.join(ties[:3])}{more}"]
    if any(len({row.facts.get("id") for row in of_clip}) > 1 for of_clip in clips.values()):
        notes.append("column id is not used: rows of one clip have several ids")
        for row in merged:
            row.facts.pop("id", None)
    return merged, notes


def _merge(rows: Sequence[Row], listed: Collection[str], problems: Problems) -> Row:
    """Return the rows of a clip as one, the `listed` columns as lists."""
    facts: dict[str, Any] = {}
    for row in rows:
        for name, value in row.facts.items():
            if name in ("id", "emotion", "custom") or facts.setdefault(name, value) == value:
                continue
            problems.add(
                "rows that contradict another about their clip",
                f"{row.where}: {name} of '{row.path}' is {value!r} here and {facts[name]!r} in a "
                "row before; rows of one clip may differ in emotion, id and further columns",
            )
    votes = Counter(row.facts["emotion"] for row in rows if "emotion" in row.facts)
    ranked = sorted(votes.items(), key=lambda item: (-item[1], item[0]))
    if TIE in votes or any(VOTES in row.facts["custom"] for row in rows):
        problems.add(
            "names that --votes uses",
            f"{rows[0].where}: there is a label '{TIE}' or a column '{VOTES}'; rename it",
        )
    if ranked:
        alone = len(ranked) == 1 or ranked[0][1] > ranked[1][1]
        facts["emotion"] = ranked[0][0] if alone else TIE
    if "id" in rows[0].facts:
        facts["id"] = rows[0].facts["id"]
    facts["custom"] = {
        **rows[0].facts["custom"],
        **{name: [row.facts["custom"].get(name) for row in rows] for name in sorted(listed)},
        VOTES: dict(ranked),
    }
    return Row(rows[0].where, rows[0].path, facts)
