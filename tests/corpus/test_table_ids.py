"""Ids of tables without any: from file names, unique, the same in whatever order."""

import re

import pytest

from dsnet.corpus.table import read_table
from dsnet.errors import CorpusError


def read(tmp_path, rows, more=""):
    (tmp_path / "t.csv").write_text(f"path,speaker,emotion{more}\n" + "\n".join(rows))
    return read_table(tmp_path / "t.csv")


def ids(tmp_path, rows, more=""):
    table = read(tmp_path, rows, more)
    return [row.facts["id"] for row in table.rows], table.notes


def test_ids_are_the_names_of_the_files(tmp_path):
    rows = ["wav/a/happy 1.wav,ann,N", "/full/x.2.flac,ann,N", "./zoe\u0308,bob,W"]
    found, notes = ids(tmp_path, rows)
    assert found == ["happy_1", "x.2", "zo\u00eb"]
    assert notes == ["no column id: ids are the names of the files, such as 'happy_1'"]
    assert ids(tmp_path, rows[::-1])[0] == found[::-1]


def test_files_of_one_name_take_their_folder_all_of_them(tmp_path):
    rows = ["w/ann/01.wav,ann,N", "w/bob/01.wav,bob,N", "w/bob/02.wav,bob,N", "03.wav,bob,N"]
    found, notes = ids(tmp_path, rows)
    assert found == ["ann-01", "bob-01", "bob-02", "03"]
    assert notes == ["no column id: ids are the last 2 parts of their paths, such as 'ann-01'"]


def test_a_folder_that_makes_two_names_one_is_not_enough(tmp_path):
    rows = ["x/a/b-c.wav,ann,N", "y/a-b/c.wav,ann,N", "z/a/c.wav,ann,N"]
    assert ids(tmp_path, rows)[0] == ["x-a-b-c", "y-a-b-c", "z-a-c"]


def test_parts_of_a_file_end_with_their_times_and_channel(tmp_path):
    rows = ["d/talk 1.wav,ann,N,0.5,1.25,", "./d/talk 1.wav,ann,N,1.25,,1", "b.wav,bob,W,,,mean"]
    table = read(tmp_path, rows, ",start,end,channel")
    assert [(row.facts["id"], row.facts.get("recording")) for row in table.rows] == [
        ("talk_1-0000500-0001250", "talk_1"),
        ("talk_1-0001250-end-ch1", "talk_1"),
        ("b-chmean", None),
    ]


def test_parts_of_files_of_one_name_are_of_two_recordings(tmp_path):
    table = read(tmp_path, ["a/x.wav,ann,N,0,1", "b/x.wav,ann,N,0,1"], ",start,end")
    assert [row.facts["recording"] for row in table.rows] == ["a-x", "b-x"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            ["w/1.wav,a,N", "w/1.flac,a,N"],
            r":3: 'w/1\.flac' and 'w/1\.wav' in .*csv:2 both .*'w-1'",
        ),
        (["a b.wav,a,N", "a_b.wav,a,N"], r":3: .* give the id 'a_b'; give the table a column id"),
        (["a.wav,a,N", "b.wav,a,N", "./a.wav,a,N"], r":4: id 'a' stands in .*csv:2 already"),
    ],
)
def test_what_no_name_tells_apart_is_refused(tmp_path, rows, message):
    with pytest.raises(CorpusError) as caught:
        read(tmp_path, rows)
    assert re.search(message, str(caught.value)), caught.value


def test_an_empty_id_in_a_column_of_ids_is_a_mistake(tmp_path):
    with pytest.raises(CorpusError, match="t.csv:2: id is empty"):
        read(tmp_path, ["a.wav,ann,N,"], ",id")
