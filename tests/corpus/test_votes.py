"""Rows of listeners: counted by hand, and what stands in the manifests and the drafted task."""

import numpy as np
import pytest
import soundfile
import yaml

from dsnet.corpus.draft import draft_task
from dsnet.corpus.manifests import read_manifests
from dsnet.corpus.prepare import prepare
from dsnet.corpus.table import read_table
from dsnet.corpus.table_audio import find_utterances
from dsnet.errors import CorpusError

HEADER = "path,speaker,emotion,rater,valence,take\n"
ROWS = """\
a.wav,ann,happy,r1,1,7
b.wav,ann,sad,r1,2,8
a.wav,ann,sad,r2,3,7
./a.wav,ann,happy,r3,,7
b.wav,ann,happy,r2,2,8
c.wav,bob,sad,r1,4,9
"""


@pytest.fixture
def read(tmp_path):
    def call(text):
        (tmp_path / "u.csv").write_text(text)
        return read_table(tmp_path / "u.csv", votes=True)

    return call


def test_most_votes_are_the_label_and_all_are_kept(read):
    table = read(HEADER + ROWS)
    assert [(row.facts["id"], row.facts["emotion"]) for row in table.rows] == [
        ("a", "happy"),
        ("b", "tie"),
        ("c", "sad"),
    ]
    customs = [row.facts["custom"] for row in table.rows]
    assert customs == [
        {"rater": ["r1", "r2", "r3"], "valence": [1, 3, None], "take": 7}
        | {"votes": {"happy": 2, "sad": 1}},
        {"rater": ["r1", "r2"], "valence": [2, 2], "take": 8, "votes": {"happy": 1, "sad": 1}},
        {"rater": ["r1"], "valence": [4], "take": 9, "votes": {"sad": 1}},
    ]
    assert table.notes[0] == (
        "6 rows are votes on 3 clips; 1 without a majority have the label 'tie': b.wav"
    )


def test_parts_of_a_file_are_clips_of_their_own(read):
    rows = "a.wav,ann,N,0,1\na.wav,ann,W,0,1\na.wav,ann,W,0,1\na.wav,ann,N,1,2\n"
    table = read("path,speaker,emotion,start,end\n" + rows)
    assert [(r.facts["id"], r.facts["emotion"]) for r in table.rows] == [
        ("a-0000000-0001000", "W"),
        ("a-0001000-0002000", "N"),
    ]


def test_ids_stay_if_they_are_those_of_the_clips(read):
    header = "id,path,speaker,emotion\n"
    same = read(header + "x,a.wav,ann,N\nx,a.wav,ann,N\ny,b.wav,ann,W\n")
    assert [row.facts["id"] for row in same.rows] == ["x", "y"]
    own = read(header + "x1,a.wav,ann,N\nx2,a.wav,ann,N\ny,b.wav,ann,W\n")
    assert [row.facts["id"] for row in own.rows] == ["a", "b"]
    assert "column id is not used: rows of one clip have several ids" in own.notes
    with pytest.raises(CorpusError, match="id 'x' stands in .*:2 already"):
        read(header + "x,a.wav,ann,N\nx,b.wav,ann,W\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            HEADER + ROWS + "c.wav,ann,sad,r2,1,1\n",
            ":8: speaker of 'c.wav' is 'ann' here and 'bob'",
        ),
        (
            HEADER + ROWS + "c.wav,bob,tie,r2,1,1\n",
            ":7: there is a label 'tie' or a column 'votes'",
        ),
        ("path,speaker,emotion,votes\na.wav,ann,N,3\n", ":2: there is a label 'tie' or a column"),
    ],
)
def test_what_cannot_be_counted_is_refused(read, text, message):
    with pytest.raises(CorpusError, match=message):
        read(text)


def test_votes_reach_the_manifests_and_ties_are_left_out_of_the_task(read, tmp_path):
    rng = np.random.default_rng(0)
    for name in "abcde":
        soundfile.write(tmp_path / f"{name}.wav", rng.uniform(-0.5, 0.5, 4000), 16000)
    table = read(HEADER + ROWS + "d.wav,eve,sad,r1,4,9\ne.wav,eve,happy,r1,4,9\n")
    prepare(find_utterances(table, tmp_path), tmp_path / "m")
    _, supervisions = read_manifests(tmp_path / "m")
    assert supervisions["a"].custom["votes"] == {"happy": 2, "sad": 1}
    assert supervisions["a"].custom["emotion"] == "happy"
    pairs = [(row.facts["speaker"], row.facts["emotion"]) for row in table.rows]
    task = yaml.safe_load(draft_task(pairs, "x", ignored={"tie"}))
    assert task["classes"] == ["happy", "sad"] and task["ignored_labels"] == ["tie"]
    assert task["gate"] == {
        "utterances": 4,
        "by_class": {"happy": 2, "sad": 2},
        "by_speaker": {"ann": 1, "bob": 1, "eve": 2},
    }
