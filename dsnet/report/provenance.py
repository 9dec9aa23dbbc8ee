"""By which command, with which code and where a report was made."""

import datetime
import os
from dataclasses import dataclass

from dsnet.environment import git_revision, versions

GENERATION = 2  # of the pages that stage 5 writes; those of another one are made anew


@dataclass(frozen=True)
class Provenance:
    """What somebody needs to make the report again."""

    command: str
    git_revision: str  # ends in -dirty if the checkout had changes
    versions: dict[str, str]
    date: str  # year-month-day
    num_cpus: int

    @classmethod
    def here(cls, command: str) -> "Provenance":
        """Describe this machine and checkout, now."""
        today = datetime.date.today().isoformat()
        return cls(command, git_revision(), versions(), today, os.cpu_count() or 1)
