"""Stage 0 of the mini corpus: the table that make_corpus.py wrote says everything."""

from pathlib import Path

from dsnet.corpus.prepare import run_prepare
from dsnet.corpus.table import read_table
from dsnet.corpus.table_audio import find_utterances
from dsnet.corpus.utterance import Utterance
from dsnet.errors import CorpusError


def utterances(corpus_dir: Path) -> list[Utterance]:
    """Return the rows of utterances.csv."""
    table = corpus_dir / "utterances.csv"
    if not table.is_file():
        raise CorpusError(f"{table}: no such file; run local/make_corpus.py {corpus_dir} first")
    return find_utterances(read_table(table), corpus_dir)


if __name__ == "__main__":
    run_prepare(utterances)
