"""Tables: what is read, as what, and which line a bad cell is refused with."""

import math
import re

import pytest

from dsnet.corpus.table import read_table
from dsnet.errors import CorpusError

HEADER = "id,path,speaker,emotion"
ROWS = "a1,wav/a1.wav,ann,N\nb1,wav/b1.wav,bob,W\n"


def table(tmp_path, text, name="utterances.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def read(tmp_path, text, **kwargs):
    return read_table(table(tmp_path, text, **kwargs))


def refuses(tmp_path, text, message):
    with pytest.raises(CorpusError) as caught:
        read(tmp_path, text)
    path = re.escape(str(tmp_path / "utterances.csv"))
    assert re.match(path + message, str(caught.value)), caught.value


def test_every_column(tmp_path):
    text = (
        "speaker,id,emotion,path,start,end,channel,sex,text,session,dialogue,recording,mood\n"
        'ann,a-1,N,"my wav/ä, 1.wav",1.5,2.25,1,F,"Yes, ""now"".",s1,d1,r1,good\n'
        "bob,b-1,W,/full/b.wav,,,,,,,,,\n"
    )
    first, second = read(tmp_path, text).rows
    assert first.where == f"{tmp_path}/utterances.csv:2" and first.path == "my wav/ä, 1.wav"
    assert first.facts == {
        "id": "a-1",
        "speaker": "ann",
        "emotion": "N",
        "start": 1.5,
        "end": 2.25,
        "channel": 1,
        "sex": "female",
        "text": 'Yes, "now".',
        "session": "s1",
        "dialogue": "d1",
        "recording": "r1",
        "custom": {"mood": "good"},
    }
    assert second.path == "/full/b.wav"
    assert second.facts == {"id": "b-1", "speaker": "bob", "emotion": "W", "custom": {}}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_delimiters_line_ends_and_byte_order_marks(tmp_path, delimiter, end, encoding):
    text = "id,path,speaker,emotion,text\na1,w/a.wav,ann,N,so\n\nb1,w/b.wav,bob,W,no\n"
    text = text.replace(",", delimiter).replace("\n", end)
    rows = read(tmp_path, text, encoding=encoding).rows
    assert [row.facts["text"] for row in rows] == ["so", "no"]
    assert [row.where.rpartition(":")[2] for row in rows] == ["2", "4"]  # the blank line counts


def test_a_quoted_header_and_other_delimiters_in_a_text(tmp_path):
    text = '"id";"path";"speaker";"emotion";"text"\n"a1";"a.wav";"ann";"N";"one, two\tthree"\n'
    assert read(tmp_path, text).rows[0].facts["text"] == "one, two\tthree"


def test_lines_are_counted_over_a_text_of_two_lines(tmp_path):
    text = f'{HEADER},text\na1,a.wav,ann,N,"one\ntwo"\na1,b.wav,ann,N,three\n'
    refuses(tmp_path, text, r":4: id 'a1' stands in .*utterances\.csv:2 already")


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["1", "", "-20"], "numbers", [1, None, -20]),
        (["1", "2.5", "3e-1"], "numbers", [1.0, 2.5, 0.3]),
        (["01", "02", "10"], "text", ["01", "02", "10"]),  # codes, not amounts
        (["1", "2", "high"], "text", ["1", "2", "high"]),
        (["1", "1,5", "2"], "text", ["1", "1,5", "2"]),
        (["1", "nan", "2"], "text", ["1", "nan", "2"]),
        (["1", "1e999", "2"], "text", ["1", "1e999", "2"]),
        (["", "", ""], "text", [None, None, None]),
    ],
)
def test_further_columns_are_numbers_only_if_all_of_them_are(tmp_path, cells, kind, values):
    rows = [f"u{i};a.wav;ann;N;{cell}\n" for i, cell in enumerate(cells)]
    found = read(tmp_path, "id;path;speaker;emotion;level\n" + "".join(rows))
    assert found.further == {"level": kind}
    got = [row.facts["custom"].get("level") for row in found.rows]
    assert got == values and [type(v) for v in got] == [type(v) for v in values]


@pytest.mark.parametrize(
    ("spelt", "sex"),
    [("f", "female"), ("F", "female"), ("Female", "female"), ("m", "male"), ("MALE", "male")],
)
def test_sexes(tmp_path, spelt, sex):
    assert read(tmp_path, f"{HEADER},sex\na1,a.wav,ann,N,{spelt}\n").rows[0].facts["sex"] == sex


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (
            "id,path,spk,emotion",
            r":1: no column 'speaker' among 'id', .*'spk'.*separated by.*\"speaker=spk\"",
        ),
        ("id,file,speaker,emotion", r":1: no column 'path' among"),
        (
            "id,path,speakers,emotion",
            r":1: no column 'speaker' .* say so: --columns \"speaker=speakers\"",
        ),
        (
            "id path speaker emotion",
            r":1: no column 'path' or 'speaker' or 'emotion' among 'id path speaker emotion'",
        ),
        (
            "id,path,Speaker,emotion",
            r":1: column 'Speaker': write it 'speaker', or --columns \"speaker=Speaker\"$",
        ),
        ("id, path,speaker,emotion", r":1: column ' path': write it 'path'"),
        (HEADER + ",Sex", r":1: column 'Sex': write it 'sex'"),
        (HEADER + ",", r":1: column 5 has no name"),
        ("," + HEADER, r":1: column 1 has no name.*index=False"),
        (HEADER + ",mood,mood", r":1: two columns 'mood'"),
        (HEADER + ",audio_hash", r":1: column 'audio_hash' is a name that stage 0 uses"),
        (HEADER + ",fingerprint", r":1: column 'fingerprint' is a name that stage 0 uses"),
        ("\n\n" + HEADER + ",", r":3: column 5 has no name"),
    ],
)
def test_bad_headers(tmp_path, header, message):
    refuses(tmp_path, f"{header}\n{ROWS}", message)


@pytest.mark.parametrize(
    ("columns", "row", "message"),
    [
        ("", "a1,a.wav,ann", r":2: 3 cells, but the header has 4: a1 \| a\.wav \| ann\. Is a cell"),
        ("", "a1,a.wav,ann,N,extra", r":2: 5 cells, but the header has 4"),
        (",text", "a1,a.wav,ann,N,so, no", r":2: 6 cells, but the header has 5.*double quotes"),
        ("", "a1,a.wav,,N", r":2: speaker is empty"),
        ("", "a1,a.wav,ann, ", r":2: emotion is empty"),
        ("", "a1,,ann,N", r":2: path is empty"),
        ("", ",,,", r":2: id, path, speaker, emotion is empty; fill it in or remove the row"),
        ("", "a 1,a.wav,ann,N", r":2: id is 'a 1'; expected a name without white space"),
        ("", "a1 ,a.wav,ann,N", r":2: id is 'a1 '"),
        ("", "a1,a.wav,ann\u00a0b,N", r":2: speaker is 'ann\\xa0b'"),
        ("", "a1,a.wav,ann,very sad", r":2: emotion is 'very sad'"),
        (",session", "a1,a.wav,ann,N,s 1", r":2: session is 's 1'"),
        ("", "a1,a.wav,s1/ann,N", r":2: speaker is 's1/ann'; expected a name without '/'"),
        (",session", "a1,a.wav,ann,N,1/2", r":2: session is '1/2'; expected a name without '/'"),
        (",start", "a1,a.wav,ann,N,soon", r":2: start is 'soon'; expected seconds"),
        (",start", 'a1,a.wav,ann,N,"1,5"', r":2: start is '1,5'.*decimal point as a point"),
        (",start", "a1,a.wav,ann,N,-1", r":2: start is '-1'"),
        (",end", "a1,a.wav,ann,N,inf", r":2: end is 'inf'"),
        (",end", "a1,a.wav,ann,N,nan", r":2: end is 'nan'"),
        (",end", "a1,a.wav,ann,N,NaT", r":2: end is 'NaT'; expected seconds.*nothing for NaT"),
        (",start", "a1,a.wav,ann,N,0 days 00:00:02", r":2: start is .*Write 62\.5 for '0 days"),
        (",end", "a1,a.wav,ann,N,0", r":2: end is 0 s and start is 0 s; expected an end behind"),
        (",start,end", "a1,a.wav,ann,N,2,1.5", r":2: end is 1\.5 s and start is 2 s"),
        (",start,end", "a1,a.wav,ann,N,2,2", r":2: end is 2 s and start is 2 s"),
        (",channel", "a1,a.wav,ann,N,left", r":2: channel is 'left'; expected 0 for the first"),
        (",channel", "a1,a.wav,ann,N,-1", r":2: channel is '-1'; expected .* mean for the average"),
        (",sex", "a1,a.wav,ann,N,weiblich", r":2: sex is 'weiblich'; expected one of f, female, m"),
        ("", 'a1,"a.wav,ann,N', r":2: not readable as a row .*quoted cell closed"),
        ("", 'a1,"a"b.wav,ann,N', r":2: not readable as a row"),
    ],
)
def test_bad_rows(tmp_path, columns, row, message):
    refuses(tmp_path, f"{HEADER}{columns}\n{row}\n", message)


def test_what_cannot_be_read_is_told_with_the_rest(tmp_path):
    """A quote that nobody closes, bytes that are no UTF-8, a cell too few, an empty one."""
    text = f'{HEADER}\na1,a.wav,ann\nb1,b.wav,bär,N\nc1,"c"c.wav,ann,N\nd1,,ann,N\n'
    with pytest.raises(CorpusError) as caught:
        read(tmp_path, f'{text}e1,"e.wav,ann,N\nf1,f.wav,ann,N\n', encoding="latin-1")
    found = re.findall(r"utterances\.csv:(\d): (.{9})", str(caught.value))
    assert sorted(found) == [
        ("2", "3 cells, "),
        ("3", "not UTF-8"),
        ("4", "not reada"),
        ("5", "path is e"),
        ("6", "not reada"),
    ]
    assert "it swallows the 1 lines behind it" in str(caught.value)


def test_all_that_is_wrong_with_a_header_is_told_at_once(tmp_path):
    with pytest.raises(CorpusError) as caught:
        read(tmp_path, f"file,Speaker,,mood,mood\n{ROWS}")
    wrong = str(caught.value).split("\n  ")
    assert [re.split("[:;,]? ", line.partition("csv:1: ")[2] or line)[:3] for line in wrong] == [
        ["column", "'Speaker'", "write"],
        ["column", "3", "has"],
        ["two", "columns", "'mood'"],
        ["no", "column", "'path'"],
    ]


def test_a_line_that_says_what_separates_the_cells(tmp_path):
    """Excel writes one; the lines behind it keep their numbers."""
    for first in ("sep=|", '"sep=|"'):
        text = f"{first}\r\n{HEADER},text\r\na1,a.wav,ann,N,one; two\r\n".replace(",", "|")
        (row,) = read(tmp_path, text).rows
        assert row.where.endswith("csv:3") and row.facts["text"] == "one; two"


def test_one_letter_spelt_in_two_ways_is_one_name(tmp_path):
    composed, decomposed = "Zo\u00eb", "Zoe\u0308"
    rows = f"a1,a.wav,{composed},N\na2,b.wav,{decomposed},{decomposed}\n"
    assert [row.facts["speaker"] for row in read(tmp_path, f"{HEADER}\n{rows}").rows] == [
        composed,
        composed,
    ]
    refuses(tmp_path, f"{HEADER}\n{composed},a.wav,a,N\n{decomposed},b.wav,b,N\n", ":3: id")


def test_two_rows_that_contradict_each_other(tmp_path):
    refuses(
        tmp_path, f"{HEADER}\n{ROWS}a1,wav/c.wav,ann,N\n", r":4: id 'a1' stands in .*csv:2 already"
    )
    refuses(
        tmp_path,
        f"{HEADER},sex\na1,a.wav,ann,N,f\na2,b.wav,ann,N,\na3,c.wav,ann,N,m\n",
        r":4: speaker 'ann' is male here and female in .*csv:2; correct one",
    )


def test_one_audio_with_two_labels_or_speakers(tmp_path):
    message = r":3: 'wav/\./a1\.wav' is {} here and N of ann in .*csv:2; keep one"
    for columns, found in (("ann,W", "W of ann"), ("bob,N", "N of bob")):
        text = f"{HEADER}\na1,wav/a1.wav,ann,N\na2,wav/./a1.wav,{columns}\n"
        refuses(tmp_path, text, message.format(found))
    spans = "a1,a.wav,ann,N,0,1,0\na2,a.wav,ann,W,1,2,0\na3,a.wav,bob,W,0,1,1\n"
    assert len(read(tmp_path, f"{HEADER},start,end,channel\n{spans}").rows) == 3
    raters = f"{HEADER},rater\na1,a.wav,ann,N,r1\na2,a.wav,ann,N,r2\na3,a.wav,ann,W,r3\n"
    refuses(
        tmp_path,
        raters,
        r":4: .* W of ann here .* one of several listeners said, give --votes majority",
    )
    twice = f"{HEADER}\na1,a.wav,ann,N\na2,a.wav,ann,N\n"  # stage 0 counts it
    assert len(read(tmp_path, twice).rows) == 2


def test_all_that_is_wrong_is_told_at_once_twenty_of_each_kind(tmp_path):
    rows = [f"u{i},{i}.wav,ann,N,f" for i in range(20)]
    rows += ["u0,x.wav,ann,N,f"] * 22  # their ids and audio are there already
    rows += ["v1,v1.wav,bob,W,f", "v2,v2.wav,bob,W,m", "v3,v3.wav,bob,W,m", "v4,v4.wav,,W,m"]
    rows += ["w1,0.wav,ann,W,f", "w2,w2.wav,ann,W"]
    with pytest.raises(CorpusError) as caught:
        read(tmp_path, "\n".join([f"{HEADER},sex", *rows]))
    path = f"{tmp_path}/utterances.csv"
    first, *lines = str(caught.value).split("\n")
    assert first == f"{path}: 26 problems"
    heads = [line.strip() for line in lines if not line.startswith("    ")]
    assert heads == [
        "1 rows with another number of cells than the header:",
        "1 rows without a cell that is needed:",
        "22 ids that another row has already; the first 20:",
        "1 rows that contradict another about the same audio:",
        "1 speakers of two sexes:",
    ]
    begins = [re.match(rf" +{re.escape(path)}:(\d+): ", line) for line in lines]
    numbers = [int(begin[1]) for begin in begins if begin]
    assert [n for n in numbers if 22 <= n < 44] == list(range(22, 42))
    assert sorted(set(numbers) - set(range(22, 44))) == [45, 47, 48, 49]


def test_bad_files(tmp_path):
    refuses(tmp_path, "", r": empty; expected a header with path, speaker, emotion, and rows")
    refuses(tmp_path, "\n \n", r": empty")
    refuses(tmp_path, HEADER + "\n", r": a header and no row")
    latin = f"{HEADER}\na1,a.wav,ann,N\na2,b.wav,jürgen,N\n".encode("latin-1")
    refuses(tmp_path, latin, r":3: not UTF-8 \(byte 0xfc\): 'j\\xfcrgen'\. Save the table as UTF-8")
    refuses(tmp_path, (HEADER + "\n").encode("utf-16"), r":1: not UTF-8 \(byte 0xff\)")
    refuses(tmp_path, b"PK\3\4\x14\0", r": a workbook, not a text; save the sheet as 'CSV UTF-8'")
    table(tmp_path, HEADER, name="labels.tsv")
    with pytest.raises(
        CorpusError, match=r"none\.csv: no such file; tables in .*: labels.tsv, utte"
    ):
        read_table(tmp_path / "none.csv")


def test_times_are_seconds_in_any_spelling(tmp_path):
    (row,) = read(tmp_path, f"{HEADER},start,end\na1,a.wav,ann,N,006.2901,1e1\n").rows
    assert math.isclose(row.facts["start"], 6.2901) and row.facts["end"] == 10.0
