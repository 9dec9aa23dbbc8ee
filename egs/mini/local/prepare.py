"""Stage 0 of the mini corpus: the table that make_corpus.py wrote says everything."""

import csv
from collections.abc import Iterator
from pathlib import Path

from dsnet.corpus.prepare import run_prepare
from dsnet.corpus.utterance import Utterance
from dsnet.errors import CorpusError


def utterances(corpus_dir: Path) -> Iterator[Utterance]:
    """Yield the rows of utterances.csv."""
    table = corpus_dir / "utterances.csv"
    if not table.is_file():
        raise CorpusError(f"{table}: no such file; run local/make_corpus.py {corpus_dir} first")
    with table.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            row["path"] = corpus_dir / row["path"]
            yield Utterance(**row)


if __name__ == "__main__":
    run_prepare(utterances)
