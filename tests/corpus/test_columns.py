"""Columns that a table calls otherwise: how it is said, what is refused, what is read."""

import re
import shlex
import subprocess

import pytest

from dsnet.corpus.columns import parse_columns
from dsnet.corpus.table import read_table
from dsnet.errors import ConfigError, CorpusError

GERMAN = "Datei;Sprecher;primäres Gefühl;Ort\na.wav;ann;N;innen\nb.wav;bob;W;außen\n"
PAIRS = "path=Datei speaker=Sprecher 'emotion=primäres Gefühl'"


def read(tmp_path, text, pairs):
    (tmp_path / "table.csv").write_text(text, encoding="utf-8")
    return read_table(tmp_path / "table.csv", columns=parse_columns(pairs))


def test_pairs_are_split_as_a_shell_does_it():
    wanted = {"path": "Datei", "speaker": "Sprecher", "emotion": "primäres Gefühl"}
    assert parse_columns(PAIRS) == wanted
    assert parse_columns('path=Datei speaker=Sprecher emotion="primäres Gefühl"') == wanted
    assert parse_columns(" ") == {}
    odd = {"path": "it's", "text": 'a "b" = c', "id": "  "}
    assert parse_columns(shlex.join(f"{k}={v}" for k, v in odd.items())) == odd


@pytest.mark.parametrize(
    ("pairs", "messages"),
    [
        ("path", ["'path' is no pair"]),
        ("emotion=primary emotion", ["'emotion' is no pair; a name of several words needs quotes"]),
        ("=Datei path=", ["'=Datei' is no pair", "'path=' is no pair"]),
        ("speeker=S", ["no column 'speeker' to fill; there are: path, .*; did you mean 'speaker'"]),
        ("zzz=S", ["no column 'zzz' to fill; there are: path, .*, recording$"]),
        ("Datei=path", ["'Datei=path' is the wrong way round; write path=Datei"]),
        ("path=a path=b", ["'path' is given twice: a and b"]),
        ("id=N speaker=N", ["'N' is given to both id and speaker"]),
        ("path='a", ["path='a: No closing quotation; write it as in --columns"]),
    ],
)
def test_wrong_pairs_are_refused_together(pairs, messages):
    with pytest.raises(ConfigError) as caught:
        parse_columns(pairs)
    lines = str(caught.value).removeprefix("--columns: ").split("\n  ")
    assert len(lines) == len(messages)
    assert all(re.search(m, line) for m, line in zip(messages, lines, strict=True)), lines


def test_a_table_with_names_of_its_own_reads_as_one_with_ours(tmp_path):
    theirs = read(tmp_path, GERMAN, PAIRS)
    ours = read(tmp_path, "path;speaker;emotion;Ort" + GERMAN.partition("Ort")[2], "")
    assert theirs == ours and theirs.further == {"Ort": "text"}


def test_a_column_that_is_taken_elsewhere_is_left_out_and_told(tmp_path):
    text = "id,path,speaker,emotion,agreed\n1,a.wav,ann,N,W\n2,b.wav,ann,W,N\n"
    table = read(tmp_path, text, "emotion=agreed")
    assert [row.facts["emotion"] for row in table.rows] == ["W", "N"]
    assert [row.facts["custom"] for row in table.rows] == [{}, {}]
    assert table.notes == ["column 'emotion' is not used: --columns takes it from 'agreed'"]
    swapped = read(tmp_path, text, "emotion=agreed text=emotion")
    assert swapped.rows[0].facts["text"] == "N" and swapped.notes == []


@pytest.mark.parametrize(
    "name", [" speaker", "Speaker ", "Speaker", "the speaker", "speaker's", "a$HOME speaker"]
)
def test_what_is_advised_is_taken(tmp_path, name):
    text = f"path,{name},emotion\na.wav,s,N\n"
    with pytest.raises(CorpusError) as caught:
        read(tmp_path, text, "")
    advised = re.search("(--columns .*)$", str(caught.value))[1]
    shell = subprocess.run(["bash", "-c", f"printf %s {advised[10:]}"], capture_output=True)
    assert read(tmp_path, text, shell.stdout.decode()).rows[0].facts["speaker"] == "s"


def test_columns_that_a_table_does_not_have(tmp_path):
    with pytest.raises(CorpusError) as caught:
        read(tmp_path, GERMAN, "path=datei speaker=Sprecherin text=Wort")
    first, second, third, last = str(caught.value).split("\n  ")
    there = "there are: Datei, Sprecher, primäres Gefühl, Ort; did you mean"
    assert first.endswith(f":1: --columns: no column 'datei' in the table; {there} 'Datei'?")
    assert second == f"--columns: no column 'Sprecherin' in the table; {there} 'Sprecher'?"
    assert third == f"--columns: no column 'Wort' in the table; {there} 'Ort'?"
    assert last.startswith("no column 'emotion' among 'Datei', ")
    assert last.endswith('say so: --columns "emotion=..."')
    with pytest.raises(
        CorpusError, match='say so: --columns "path=Datei speaker=Sprecher emotion='
    ):
        read(tmp_path, GERMAN, "path=Datei")


def test_the_hint_about_a_missing_column_can_be_typed(tmp_path):
    text = "path,speaker,primary emotion\na.wav,ann,N\n"
    with pytest.raises(CorpusError) as caught:
        read(tmp_path, text, "")
    _, option = shlex.split(str(caught.value).rpartition("say so: ")[2])
    assert read(tmp_path, text, option).rows[0].facts["emotion"] == "N"
