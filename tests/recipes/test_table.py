"""Corpora given as a table: the audio behind the rows, what stage 0 prints, what it refuses."""

import re
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile
from lhotse import CutSet, validate

from dsnet.bin import run
from dsnet.bin.prepare_table import main
from dsnet.corpus.kaldi_data import export_kaldi, read_kaldi
from dsnet.corpus.manifests import read_manifests
from dsnet.corpus.table import read_table
from dsnet.corpus.table_audio import find_utterances
from dsnet.errors import CorpusError
from dsnet.features import FEATURES
from dsnet.features.combine import combine
from dsnet.features.extract import compute_shard, decode
from dsnet.features.fbank import FbankConfig

AUDIO = ("wav/one.wav", "wav/größe 2.flac")
HEADER = "id,path,speaker,emotion,start,end,channel,valence,take\n"


def write(path, seed, seconds=0.5, rate=16000, channels=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (int(seconds * rate), channels)
    soundfile.write(path, np.random.default_rng(seed).uniform(-0.5, 0.5, shape), rate)


@pytest.fixture
def corpus(tmp_path):
    """A folder with a space and a letter beyond ASCII, audio of several kinds."""
    top = tmp_path / "Stimmen für alle"
    write(top / "wav" / "one.wav", 1)
    write(top / "wav" / "größe 2.flac", 2, rate=44100, channels=2)
    write(top / "long.wav", 3, seconds=2.0)
    return top


def find(corpus, rows, header=HEADER):
    path = corpus / "utterances.csv"
    path.write_text(header + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return find_utterances(read_table(path), corpus)


def refuses(corpus, row, message):
    with pytest.raises(CorpusError) as caught:
        find(corpus, [row])
    assert re.match(re.escape(f"{corpus}/utterances.csv") + message, str(caught.value))


@pytest.fixture
def stage_0(corpus, tmp_path, monkeypatch, capsys):
    """Run the program in this process; return what it printed, and its error message if any."""

    def call(*options):
        args = ["prepare_table", corpus / "utterances.csv", corpus, tmp_path / "m", *options]
        monkeypatch.setattr(sys, "argv", [str(arg) for arg in args])
        try:
            run(main)
        except SystemExit as stopped:
            return capsys.readouterr().out, str(stopped)
        return capsys.readouterr().out, None

    return call


def test_manifests_of_files_of_every_kind(corpus, tmp_path, stage_0):
    elsewhere = tmp_path / "elsewhere.wav"
    write(elsewhere, 4)
    write(corpus / "wav" / "spare.wav", 5)
    (corpus / "wav" / "._one.wav").write_bytes(b"\0\5\26\7")  # a Mac's copy leaves these
    find(
        corpus,
        [
            "u1,wav/one.wav,ann,N,,,,1.5,01",
            "u2,wav/größe 2.flac,bob,W,,,1,2,02",
            "u3,long.wav,ann,W,0,0.8,,,",
            "u4,./long.wav,bob,N,0.8,2.0004,,3,01",  # its end is rounded
            f"u5,{elsewhere},eve,N,,,,,",
        ],
    )
    before = sorted(corpus.rglob("*"))
    out, error = stage_0()
    assert error is None
    assert "5 utterances of 3 speakers, 0.00 h, 16000 and 44100 Hz" in out
    assert "further columns, kept as custom fields: valence (numbers), take (text)" in out
    assert re.search(r"1 audio files in .* that no row names: wav/spare\.wav\n", out)
    assert "channels" not in out  # the table says which
    assert sorted(corpus.rglob("*")) == before

    recordings, supervisions = read_manifests(tmp_path / "m")
    found = {
        s.id: (s.recording_id, s.channel, round(s.start, 3), round(s.duration, 3))
        for s in supervisions
    }
    assert found == {
        "u1": ("u1", 0, 0.0, 0.5),
        "u2": ("u2", 1, 0.0, 0.5),
        "u3": ("long", 0, 0.0, 0.8),
        "u4": ("long", 0, 0.8, 1.2),
        "u5": ("u5", 0, 0.0, 0.5),
    }
    assert {s.id: (s.custom.get("valence"), s.custom.get("take")) for s in supervisions} == {
        "u1": (1.5, "01"),
        "u2": (2.0, "02"),
        "u3": (None, None),
        "u4": (3.0, "01"),
        "u5": (None, None),
    }
    sources = {r.id: Path(r.sources[0].source) for r in recordings}
    assert sources["u2"] == corpus / "wav" / "größe 2.flac" and sources["u5"] == elsewhere


def test_two_files_of_one_name_need_the_column_recording(corpus, tmp_path, stage_0):
    write(corpus / "b" / "long.wav", 6, seconds=1.0)
    rows = ["u1,long.wav,ann,N,0,1", "u2,b/long.wav,ann,W,0,1"]
    find(corpus, rows, "id,path,speaker,emotion,start,end\n")
    assert "set `recording` of their utterances" in stage_0()[1]
    named = [f"{row},{name}" for row, name in zip(rows, ["a-long", "b-long"], strict=True)]
    find(corpus, named, "id,path,speaker,emotion,start,end,recording\n")
    assert stage_0()[1] is None
    assert [r.id for r in read_manifests(tmp_path / "m")[0]] == ["a-long", "b-long"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("u1,../a.wav,ann,N,,,,,", r":2: path '\.\./a\.wav' leaves the corpus folder .*full path"),
        ("u1,wav/../../a.wav,ann,N,,,,,", r":2: path .* leaves the corpus folder"),
        ("u1,long.wav,ann,N,1,2.1,,,", r":2: the utterance spans 1\.0 to 2\.1 s, but .* 2\.0000 s"),
        ("u1,long.wav,ann,N,2,,,,", r":2: the utterance spans 2\.0 to 2\.0 s, but"),
        ("u1,long.wav,ann,N,1000,2000,,,", r":2: the utterance spans .* times in seconds"),
        ("u1,wav/one.wav,ann,N,,,1,,", r":2: channel is 1, but 'wav/one\.wav' has 1 \(counted"),
        ("u1,wav,ann,N,,,,,", r":2: no such file: 'wav'\. Relative paths start from"),
    ],
)
def test_rows_that_their_file_does_not_bear_out(corpus, row, message):
    refuses(corpus, row, message)


def test_missing_audio_is_counted_and_what_may_be_meant_is_named(corpus, stage_0):
    decomposed = unicodedata.normalize("NFD", "wav/größe 2.flac")  # as some systems store names
    rows = [r"u00,WAV\One.wav,ann,N", f"u01,{decomposed},ann,N", "ok,long.wav,bob,N"]
    rows += [f"u{i:02d},none{i}.wav,ann,N" for i in range(2, 24)]
    with pytest.raises(CorpusError) as caught:
        find(corpus, rows, "id,path,speaker,emotion\n")
    _, first, *listed, last = str(caught.value).splitlines()
    assert first == "  24 of 25 rows name audio that is not there; the first 20:"
    assert len(listed) == 20
    assert listed[0].endswith(r"csv:2: no such file: 'WAV\One.wav'; is it 'wav/one.wav'?")
    assert listed[1].endswith("; is it 'wav/größe 2.flac'?")
    assert listed[19].endswith("csv:22: no such file: 'none19.wav'")
    assert f"start from {corpus}." in last and "--drop-bad-audio true" in last

    out, error = stage_0("--drop-bad-audio", "true")
    assert error is None and "24 of 25 utterances dropped: bad audio" in out


def test_cells_and_audio_are_refused_together(corpus, stage_0):
    rows = ["u1,wav/one.wav,ann,N,f", "u2,none.wav,ann,N,m", ",../x.wav,bob,W,f"]
    path = corpus / "utterances.csv"
    path.write_text("\n".join(["id,path,speaker,emotion,sex", *rows]))
    lines = stage_0()[1].splitlines()
    assert lines[0] == f"prepare_table: {path}: 4 problems"
    wheres = [line.split(": ")[0].rpartition(":")[2] for line in lines if f"    {path}" in line]
    assert wheres == ["4", "3", "4", "3"]  # no id, two sexes, outside the folder, no such file


def test_an_end_that_was_rounded_up_is_the_end_of_the_file(corpus, tmp_path, stage_0):
    write(corpus / "one.wav", 7, seconds=1.3453)
    find(corpus, ["u1,one.wav,ann,N,0,1.35,,,", "u2,long.wav,ann,N,0,2,,,"])
    out, error = stage_0()
    assert error is None
    assert "note: 1 utterances end up to 0.01 s behind their file, and are cut there: u1" in out
    _, supervisions = read_manifests(tmp_path / "m")
    assert supervisions["u1"].duration == int(1.3453 * 16000) / 16000


def test_ends_as_far_behind_their_file_as_kaldi_allows_are_cut_on_demand(corpus, tmp_path, stage_0):
    write(corpus / "one.wav", 7, seconds=1.3)
    rows = "u1,one.wav,ann,N,0,1.75,,,\nu2,long.wav,ann,N,0,2,,,\n"
    (corpus / "utterances.csv").write_text(HEADER + rows)
    assert "--overhang allows more than 0.01 s" in stage_0()[1]
    out, error = stage_0("--overhang", "0.5")
    assert error is None and "end up to 0.5 s behind their file, and are cut there: u1" in out
    _, supervisions = read_manifests(tmp_path / "m")
    assert supervisions["u1"].duration == 1.3


def test_a_recording_whose_name_has_spaces(corpus, tmp_path, stage_0):
    """Its id has none, so that a Kaldi data directory of it can be read again."""
    (corpus / "long.wav").rename(corpus / "a long one.wav")
    find(corpus, ["u1,a long one.wav,ann,N,0,1.3,,,"])
    assert stage_0()[1] is None
    export_kaldi(*read_manifests(tmp_path / "m"), tmp_path / "kaldi")
    (utterance,) = read_kaldi(tmp_path / "kaldi")
    assert (utterance.recording, utterance.path) == ("a_long_one", corpus / "a long one.wav")
    assert (utterance.start, utterance.end) == (0.0, 1.3)


@pytest.mark.parametrize("option", [True, False])
def test_features_are_of_the_mean_of_the_channels(corpus, tmp_path, stage_0, option):
    rows = [f"u{i},{name},ann,N,{'' if option else 'mean'}" for i, name in enumerate(AUDIO)]
    find(corpus, rows, "id,path,speaker,emotion,channel\n")
    out, error = stage_0(*(["--channel", "mean"] if option else []))
    assert error is None and "channel" not in out
    recordings, supervisions = read_manifests(tmp_path / "m")
    decoded = decode(supervisions["u1"], recordings["u1"])
    both, _ = soundfile.read(corpus / AUDIO[1])
    np.testing.assert_allclose(decoded, (both[:, 0] + both[:, 1]) / 2, atol=1e-7)
    assert supervisions["u0"].channel == 0  # mono
    extractor = FEATURES["fbank"][1]("fbank", FbankConfig())
    compute_shard(tmp_path / "m", tmp_path / "f", extractor, 1, 1)
    combine(tmp_path / "m", tmp_path / "f", extractor)
    cuts = CutSet.from_file(tmp_path / "f" / "cuts.jsonl.gz")
    assert [cut.channel for cut in cuts] == [0, [0, 1]]
    validate(cuts.to_eager(), read_data=True)


def test_errors_end_the_program_with_their_message(corpus, stage_0):
    assert stage_0()[1].startswith(f"prepare_table: --table: {corpus}/utterances.csv: no such f")
    find(corpus, ["u1,long.wav,ann,N,,,,,"])
    (corpus / "long.wav").write_bytes(b"RIFF")
    assert "1 of 1 utterances have audio that cannot be used" in stage_0()[1]


def test_corpus_folder_that_is_none(corpus, tmp_path):
    find(corpus, ["u1,long.wav,ann,N,,,,,"])
    with pytest.raises(CorpusError, match="--corpus-dir: .*nowhere: no such folder"):
        find_utterances(read_table(corpus / "utterances.csv"), tmp_path / "nowhere")
