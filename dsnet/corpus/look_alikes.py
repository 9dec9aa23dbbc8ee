"""Names that may be one name: those that differ only in case, or in zeros in front of a number."""

import re
from collections.abc import Iterable

ZEROS = re.compile(r"(?<!\d)0+(?=\d)")


def look_alikes(names: Iterable[str]) -> list[list[str]]:
    """Return the groups of two or more names that look alike, sorted.

    >>> look_alikes(["Bob", "ann", "bob", "s01", "s1", "s10"])
    [['Bob', 'bob'], ['s01', 's1']]
    """
    groups: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        groups.setdefault(ZEROS.sub("", name.casefold()), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def look_alikes_in_words(speakers: Iterable[str], labels: Iterable[str]) -> list[str]:
    """Say which speakers may be one person, and which labels one label."""
    return [
        f"{what} {' and '.join(group)} look alike: {question}"
        for what, question, names in (
            ("speakers", "one person under several names?", speakers),
            ("labels", "one label in several spellings?", labels),
        )
        for group in look_alikes(names)
    ]
