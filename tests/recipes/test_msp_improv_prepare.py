"""MSP-IMPROV's prepare.py on small trees in both layouts of the release, whole and spoiled."""

import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dsnet.config import load
from dsnet.corpus.columns import RESERVED
from dsnet.corpus.gate import label
from dsnet.corpus.manifests import read_manifests
from dsnet.corpus.prepare import prepare
from dsnet.errors import CorpusError
from dsnet.task import TaskConfig

RECIPE = Path(__file__).parents[2] / "egs" / "msp_improv"
PREPARE = RECIPE / "local" / "prepare.py"
utterances = runpy.run_path(str(PREPARE))["utterances"]

# spacing as it varies in the release; single raters' lines and blank lines between
LABELS = """\
UTD-IMPROV-S01A-F01-P-FM01.avi; N; A:3.000000; V:3.200000; D:2.800000 ; N:NaN;
ITL00102; Neutral; Neutral,; A:3.000000; V:3.000000; D:3.000000; N:3.000000;
ITL00203; Other; Ärger; A:1.000000; V:2.000000; D:NaN; N:3.000000;

UTD-IMPROV-S01A-M01-S-MF12.avi;A;A:1.5;V:NaN;D:4;N:2.25
UTD-IMPROV-S02H-F02-R-FF01.avi; H ; A: 3.000000 ; V: 4.000000; D: NaN; N: NaN ;
UTD-IMPROV-S02H-M02-T-FM01.avi; X; A:NaN; V:NaN; D:NaN; N:NaN;

UTD-IMPROV-S03S-F03-S-FM01.avi; S; A:3.0; V:3.0; D:3.0; N:3.0;
UTD-IMPROV-S03S-M04-S-MF01.avi; O; A:3.0; V:3.0; D:3.0; N:3.0;
UTD-IMPROV-S20N-F05-T-FM01.avi; N; A:3.0; V:3.0; D:3.0; N:3.0;
UTD-IMPROV-S20N-M06-P-MF101.avi; N; A:3.0; V:3.0; D:3.0; N:3.0;
"""
PLACES = [
    "session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01",
    "session1/S01A/S/MSP-IMPROV-S01A-M01-S-MF12",
    "session2/S02H/R/MSP-IMPROV-S02H-F02-R-FF01",
    "session2/S02H/T/MSP-IMPROV-S02H-M02-T-FM01",
    "session3/S03S/S/MSP-IMPROV-S03S-F03-S-FM01",
    "session4/S03S/S/MSP-IMPROV-S03S-M04-S-MF01",
    "session5/S20N/T/MSP-IMPROV-S20N-F05-T-FM01",
    "session6/S20N/P/MSP-IMPROV-S20N-M06-P-MF101",
]


def make_corpus(folder, audio="Audio", label_file="Evalution.txt"):
    for place in PLACES:
        path = folder / audio / f"{place}.wav"
        path.parent.mkdir(parents=True)
        samples = np.random.default_rng([ord(c) for c in place]).uniform(-0.5, 0.5, 5000)
        soundfile.write(path, samples, 44100)
    path.with_name(f"._{path.name}").write_bytes(b"\0\5\26\7")  # a Mac's copy leaves these
    (folder / audio / "session6" / "._S20N").write_bytes(b"\0\5\26\7")
    (folder / f"._{label_file}").write_bytes(b"\0\5\26\7")
    (folder / label_file).write_bytes(LABELS.replace("\n", "\r\n").encode("latin-1"))
    return folder


@pytest.fixture
def corpus(tmp_path):
    return make_corpus(tmp_path / "Korpora für uns" / "MSP-IMPROV")


def append(path, line):
    path.write_bytes(path.read_bytes() + line.encode() + b"\n")


def refused(corpus, message):
    with pytest.raises(CorpusError, match=message):
        list(utterances(corpus))


def test_utterances(corpus, tmp_path):
    command = [sys.executable, str(PREPARE), str(corpus), str(tmp_path / "m")]
    subprocess.run(command, check=True)
    recordings, supervisions = read_manifests(tmp_path / "m")
    assert {recording.sampling_rate for recording in recordings} == {44100}
    found = [(s.id[11:], s.speaker, s.custom["emotion"], s.gender, s.text) for s in supervisions]
    assert found == [
        ("S01A-F01-P-FM01", "01F", "N", "female", None),
        ("S01A-M01-S-MF12", "01M", "A", "male", None),
        ("S02H-F02-R-FF01", "02F", "H", "female", None),
        ("S02H-M02-T-FM01", "02M", "X", "male", None),
        ("S03S-F03-S-FM01", "03F", "S", "female", None),
        ("S03S-M04-S-MF01", "04M", "O", "male", None),
        ("S20N-F05-T-FM01", "05F", "N", "female", None),
        ("S20N-M06-P-MF101", "06M", "N", "male", None),
    ]
    customs = [{k: v for k, v in s.custom.items() if k not in RESERVED} for s in supervisions]
    assert customs[0] == {
        "emotion": "N",
        "session": "session1",
        "dialogue": "session1-S01A",
        "scenario": "P",
        "sentence": "S01",
        "target": "A",
        "activation": 3.0,
        "valence": 3.2,
        "dominance": 2.8,
    }
    assert customs[1] == {
        "emotion": "A",
        "session": "session1",
        "dialogue": "session1-S01A",
        "scenario": "S",
        "sentence": "S01",
        "target": "A",
        "activation": 1.5,
        "dominance": 4.0,
        "naturalness": 2.25,
    }
    assert customs[2] == {
        "emotion": "H",
        "session": "session2",
        "scenario": "R",
        "sentence": "S02",
        "target": "H",
        "activation": 3.0,
        "valence": 4.0,
    }


@pytest.mark.parametrize("audio", ["Audio", "."])
@pytest.mark.parametrize("label_file", ["Evalution.txt", "Evaluation.txt"])
def test_layouts_and_spellings_give_the_same(corpus, tmp_path, audio, label_file):
    other = make_corpus(tmp_path / "other", audio, label_file)
    first, second = ({u.id: u for u in utterances(folder)} for folder in (corpus, other))
    assert first.keys() == second.keys()
    for utt, utterance in first.items():
        paths = utterance.path.relative_to(corpus / "Audio"), second[utt].path
        assert paths[1] == other / audio / paths[0]
        assert utterance.custom == second[utt].custom


def test_two_label_files(corpus):
    shutil.copy(corpus / "Evalution.txt", corpus / "Evaluation.txt")
    assert len(list(utterances(corpus))) == len(PLACES)
    append(corpus / "Evaluation.txt", "")
    refused(corpus, "Evalution.txt and Evaluation.txt are both there and differ")


def test_wrong_level(corpus, tmp_path):
    for part in ("session1", "session1/S01A/P"):
        refused(corpus / "Audio" / part, rf"no folders session1 .*did you mean {corpus}\?")
    refused(corpus / "Audio", rf"no label file .*it is in {corpus}: give that folder")
    refused(corpus.parent, rf"did you mean {corpus}\?")
    refused(corpus.parent.parent, rf"did you mean {corpus}\?")
    flat = make_corpus(tmp_path / "flat" / "corpus", ".")
    refused(flat / "session1" / "S01A", rf"did you mean {flat}\?")
    refused(flat.parent, rf"did you mean {flat}\?")
    refused(tmp_path / "nothing", "give the folder that holds the label file")


def test_missing_parts(corpus):
    shutil.rmtree(corpus / "Audio" / "session3")
    refused(corpus, r"Audio: lacks session3; is the copy complete\?")
    make_corpus(corpus, ".")
    refused(corpus, "sessions both here and in Audio")
    shutil.rmtree(corpus / "Audio")
    (corpus / "Evalution.txt").unlink()
    refused(corpus, r"no label file Evalution.txt or Evaluation.txt in it; is the copy complete\?")


def test_labels_and_audio_belong_together(corpus):
    wav = corpus / "Audio" / f"{PLACES[0]}.wav"
    for number in range(20, 32):
        shutil.copy(wav, wav.with_name(wav.name.replace("FM01", f"MM{number}")))
    ten = ", ".join(f"MSP-IMPROV-S01A-F01-P-MM{number}" for number in range(20, 30))
    refused(corpus, rf"MSP-IMPROV: 12 wav files without a label line: {ten}, ...\. In the release")
    wav.unlink()
    refused(corpus, "1 label lines without a wav file: MSP-IMPROV-S01A-F01-P-FM01; 12 wav files")


@pytest.mark.parametrize("emotion", ["N", "H"])
def test_second_label(corpus, emotion):
    line = f"UTD-IMPROV-S01A-F01-P-FM01.avi; {emotion}; A:3.0; V:3.0; D:3.0; N:3.0;"
    append(corpus / "Evalution.txt", line)
    refused(
        corpus,
        rf"Evalution\.txt:13: second label line of 'MSP-IMPROV-S01A-F01-P-FM01' \({emotion}\); "
        r"the first is .*Evalution\.txt:1 \(N\)",
    )


@pytest.mark.parametrize(
    "line",
    [
        "UTD-IMPROV-S01A-F01-P-FM02.avi; Q; A:3.0; V:3.0; D:3.0; N:3.0;",
        "UTD-IMPROV-S01A-F01-P-FM02.avi; N; V:3.0; A:3.0; D:3.0; N:3.0;",
        "UTD-IMPROV-S01A-F01-P-FM02.avi; N; A:3,0; V:3.0; D:3.0; N:3.0;",
        "UTD-IMPROV-S01A-F01-P-FM02.avi; N",
        "UTD-IMPROV-S01A-F07-P-FM02.avi; N; A:3.0; V:3.0; D:3.0; N:3.0;",
        "UTD-IMPROV-S01A-F01-Q-FM02.avi; N; A:3.0; V:3.0; D:3.0; N:3.0;",
    ],
)
def test_malformed_label(corpus, line):
    append(corpus / "Evalution.txt", line)
    refused(corpus, r"Evalution\.txt:13: expected 'UTD-.*; found 'UTD-")


@pytest.mark.parametrize(
    "name", ["S01A-F02-P-FM02", "S01H-F01-P-FM02", "S01A-F01-S-FM02", "S02A-F01-P-FM02"]
)
def test_misplaced(corpus, name):
    wav = corpus / "Audio" / f"{PLACES[0]}.wav"
    shutil.copy(wav, wav.with_name(f"MSP-IMPROV-{name}.wav"))
    refused(corpus, rf"{name}\.wav: an utterance of session\d/S\d\d[AH]/[PS] in the folder of")


def test_unknown_name(corpus):
    wav = corpus / "Audio" / f"{PLACES[0]}.wav"
    shutil.copy(wav, wav.with_name("speech.wav"))
    refused(corpus, r"speech\.wav: expected a name such as MSP-IMPROV-S01A-F01-P-FM01\.wav")


@pytest.mark.parametrize(
    ("task", "expected"), [("4class", 6), ("4class_sessions", 6), ("4class_improvised", 3)]
)
def test_every_label_has_a_place_in_every_task(corpus, tmp_path, task, expected):
    prepare(list(utterances(corpus)), tmp_path / "m")
    config = load(RECIPE / "conf" / f"{task}.yaml", TaskConfig)
    assert {*config.label_map, *config.ignored_labels} == set("AHSNOX")
    assert len(label(read_manifests(tmp_path / "m")[1], config).utt2emo) == expected
