"""CREMA-D's prepare.py on small trees in the layout of the release."""

import runpy
import shutil
import subprocess
import sys
from collections import Counter
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import soundfile
from lhotse import SupervisionSegment

from dsnet.config import load
from dsnet.corpus.gate import label
from dsnet.corpus.manifests import read_manifests
from dsnet.corpus.prepare import prepare
from dsnet.errors import CorpusError
from dsnet.folds.build import build_task
from dsnet.folds.predefined import partitions, predefined_fold
from dsnet.task import TaskConfig

RECIPE = Path(__file__).parents[2] / "egs" / "crema_d"
PREPARE = RECIPE / "local" / "prepare.py"
CODE = runpy.run_path(str(PREPARE))
utterances, parse_name, tfds_split = (
    CODE[name] for name in ("utterances", "parse_name", "tfds_split")
)
NAMES = ["1001_DFA_ANG_XX", "1001_IEO_NEU_XX", "1001_ITH_FEA_XX", "1076_IEO_SAD_HI"]
SILENT = "1076_MTI_SAD_XX"
ACTORS = """\
"ActorID","Age","Sex","Race","Ethnicity"
1001,51,"Male","Caucasian","Not Hispanic"
1076,25,"Female","Caucasian","Not Hispanic"
"""
VOTES = """\
"","FileName","VoiceVote","VoiceLevel","FaceVote","FaceLevel","MultiModalVote","MultiModalLevel"
"1","1001_DFA_ANG_XX","A","47.33","A","41.8","A","41.5"
"2","1001_IEO_NEU_XX","N","69.1","N","92.22","N","64.78"
"3","1001_ITH_FEA_XX","A:D:N","39.00:89.00:83.67","A","80","D","29.8"
"4","1076_IEO_SAD_HI","S","51.6","S","56","N","80.14"
"5","1076_MTI_SAD_XX","N","51.6","S","56","N","80.14"
"""


@pytest.fixture
def corpus(tmp_path):
    top = tmp_path / "Köpie von CREMA-D"
    (top / "AudioWAV").mkdir(parents=True)
    (top / "processedResults").mkdir()
    for i, name in enumerate(NAMES):
        samples = np.random.default_rng(i).uniform(-0.5, 0.5, 3200)
        soundfile.write(top / "AudioWAV" / f"{name}.wav", samples, 16000)
    silence = np.random.default_rng(9).uniform(-1e-4, 1e-4, 3200)
    soundfile.write(top / "AudioWAV" / f"{SILENT}.wav", silence, 16000)
    (top / "AudioWAV" / "._1001_DFA_ANG_XX.wav").write_bytes(b"\0\5\26\7")  # of a Mac
    (top / "VideoDemographics.csv").write_text(ACTORS)
    (top / "processedResults" / "summaryTable.csv").write_text(VOTES)
    return top


@pytest.fixture
def manifests(corpus, tmp_path):
    """Return what runs stage 0 and returns the supervisions that it wrote."""

    def write(drop_bad_audio: bool = False):
        prepare(list(utterances(corpus)), tmp_path / "m", drop_bad_audio=drop_bad_audio)
        return read_manifests(tmp_path / "m")[1]

    return write


def test_manifests(corpus, tmp_path):
    command = [sys.executable, str(PREPARE), str(corpus), str(tmp_path / "m")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"1 of 5 files left out: {SILENT} has no signal" in done.stdout
    _, supervisions = read_manifests(tmp_path / "m")
    found = [(s.id, s.speaker, s.custom["emotion"], s.gender) for s in supervisions]
    assert found == [
        ("1001_DFA_ANG_XX", "1001", "ANG", "male"),
        ("1001_IEO_NEU_XX", "1001", "NEU", "male"),
        ("1001_ITH_FEA_XX", "1001", "FEA", "male"),
        ("1076_IEO_SAD_HI", "1076", "SAD", "female"),
    ]
    by_id = {s.id: s for s in supervisions}
    assert by_id["1001_IEO_NEU_XX"].text == by_id["1076_IEO_SAD_HI"].text == "It's eleven o'clock."
    custom = by_id["1001_ITH_FEA_XX"].custom
    assert custom.pop("audio_hash")
    del custom["fingerprint"]
    assert custom == {
        "emotion": "FEA",
        "sentence": "ITH",
        "level": "XX",
        "age": 51,
        "tfds_split": "train",
        "voice_vote": "tie",
        "voice_vote_raw": "A:D:N",
    }
    assert by_id["1076_IEO_SAD_HI"].custom["level"] == "HI"


def test_tasks(manifests):
    supervisions = manifests()
    intended = label(supervisions, load(RECIPE / "conf" / "6class.yaml", TaskConfig))
    classes = ["anger", "neutral", "fear", "sadness"]
    assert intended.utt2emo == dict(zip(NAMES, classes, strict=True))
    voted = label(supervisions, load(RECIPE / "conf" / "6class_voted.yaml", TaskConfig))
    assert voted.utt2emo == {
        "1001_DFA_ANG_XX": "anger",
        "1001_IEO_NEU_XX": "neutral",
        "1076_IEO_SAD_HI": "sadness",
    }
    assert voted.ignored == {"tie": 1}


def test_gate_adds_up():
    gate = load(RECIPE / "conf" / "6class.yaml", TaskConfig).gate
    assert gate.utterances == sum(gate.by_class.values()) == 7442 - 1


def test_one_x_is_the_level_xx_and_its_vote_is_found(corpus, manifests):
    """As 1040_ITH_SAD_X.wav of the release, which the table calls 1040_ITH_SAD_XX."""
    (corpus / "AudioWAV" / "1001_ITH_FEA_XX.wav").rename(corpus / "AudioWAV" / "1001_ITH_FEA_X.wav")
    found = {s.id: s.custom for s in manifests()}["1001_ITH_FEA_X"]
    assert (found["level"], found["voice_vote_raw"]) == ("XX", "A:D:N")
    shutil.copy(corpus / "AudioWAV" / "1001_ITH_FEA_X.wav", corpus / "AudioWAV" / f"{NAMES[2]}.wav")
    with pytest.raises(CorpusError, match=r"FEA_XX\.wav: 1001_ITH_FEA_X\.wav beside it is the"):
        manifests()


def test_one_recording_under_two_labels_is_told_and_kept(corpus, manifests, capsys, tmp_path):
    audio = corpus / "AudioWAV"
    shutil.copy(audio / "1001_DFA_ANG_XX.wav", audio / "1001_ITH_FEA_XX.wav")
    supervisions = manifests()
    assert [s.id for s in supervisions] == NAMES
    said = "have the same audio as another and another label: 1001_DFA_ANG_XX ANG, 1001_ITH_FEA_XX"
    assert f"note: 2 utterances {said} FEA" in capsys.readouterr().out
    task = load(RECIPE / "conf" / "6class.yaml", TaskConfig)
    task.folds.num_groups, task.references.if_missing = 3, "no_reference"
    others = [
        SupervisionSegment(name, name, 0, 1, speaker=name[0], custom={"emotion": name[2:]})
        for name in map("-".join, product("abcdef", task.label_map))
    ]
    report = build_task(task, [*supervisions, *others], tmp_path / "task")
    assert report["same_audio"] == [["1001_DFA_ANG_XX", "1001_ITH_FEA_XX"]]


@pytest.fixture(scope="module")
def grid():
    """Return the 82 clips of every actor, without audio; the release lacks 20 of them."""
    emotions, levels = ["ANG", "DIS", "FEA", "HAP", "NEU", "SAD"], ["XX", "LO", "MD", "HI"]
    segments = []
    for actor, text, emotion, level in product(range(1001, 1092), CODE["TEXTS"], emotions, levels):
        has_levels = text == "IEO" and emotion != "NEU"
        if has_levels == (level == "XX"):
            continue
        utt = f"{actor}_{text}_{emotion}_{level}".replace("1040_ITH_SAD_XX", "1040_ITH_SAD_X")
        custom = {"emotion": emotion, "tfds_split": tfds_split(parse_name(Path(f"{utt}.wav")))}
        segments.append(SupervisionSegment(utt, utt, 0, 1, speaker=str(actor), custom=custom))
    assert len(segments) == 91 * 82 == 7442 + 20
    return segments


def test_actors_of_tfds_are_dealt_as_there(grid):
    actors = [str(actor) for actor in range(1001, 1092)]
    np.random.RandomState(0).shuffle(actors)
    dealt = {"train": actors[:63], "validation": actors[63:72], "test": actors[72:]}
    for side, names in dealt.items():
        assert {s.speaker for s in grid if s.custom["tfds_split"] == side} == set(names)


def test_counts_of_tfds(grid):
    """Published: 5,144, 738 and 1,556; the 20 clips that the release lacks are of actors who train.

    Validation and test have 82 clips an actor, but for the two left out of test.
    """
    task = load(RECIPE / "conf" / "6class_tfds.yaml", TaskConfig)
    labels = label(grid, task)
    assert labels.others == {"tfds_split left_out": 4}
    kept = [s for s in labels.candidates if s.id in labels.utt2emo]
    fold = predefined_fold(task.folds, partitions(task.folds, grid, kept))["predefined"]
    assert {part: len(utts) for part, utts in fold.parts().items()} == {
        "train": 5144 + 20, "dev": 738, "test": 1556,
    }  # fmt: skip


def test_gate_of_tfds_is_that_of_all_without_what_it_leaves_out(grid):
    all_of_it, tfds = (
        load(RECIPE / "conf" / f"{name}.yaml", TaskConfig) for name in ("6class", "6class_tfds")
    )
    left_out = Counter(
        tfds.label_map[s.custom["emotion"]] for s in grid if s.custom["tfds_split"] == "left_out"
    )
    assert left_out == {"disgust": 1, "fear": 1, "neutral": 1, "sadness": 1}
    assert Counter(all_of_it.gate.by_class) - left_out == tfds.gate.by_class
    assert tfds.gate.utterances == sum(tfds.gate.by_class.values()) == 5144 + 738 + 1556 - 1


def test_the_silent_file_stays_where_it_is_not_silent(corpus):
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 3200)
    soundfile.write(corpus / "AudioWAV" / f"{SILENT}.wav", sound, 16000)
    assert SILENT in [u.id for u in utterances(corpus)]


def test_another_silent_file_stops_the_stage(corpus, manifests, capsys):
    soundfile.write(corpus / "AudioWAV" / "1001_DFA_ANG_XX.wav", np.zeros(3200), 16000)
    with pytest.raises(CorpusError, match=r"1 of 4 utterances .*\n  1001_DFA_ANG_XX: .*no signal"):
        manifests()
    assert len(manifests(drop_bad_audio=True)) == 3
    assert "1 of 4 utterances dropped: bad audio" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"RIFF of something else"])
def test_the_silent_file_unreadable_stops_the_stage(content, corpus, manifests):
    (corpus / "AudioWAV" / f"{SILENT}.wav").write_bytes(content)
    with pytest.raises(CorpusError, match=f"1 of 5 utterances .*\n  {SILENT}: "):
        manifests()


def test_without_votes_the_voted_task_says_why_it_cannot_run(corpus, manifests, capsys):
    (corpus / "processedResults" / "summaryTable.csv").unlink()
    supervisions = manifests()
    said = capsys.readouterr().out
    assert "summaryTable.csv: no voted labels, so the task 6class_voted cannot run" in said
    with pytest.raises(CorpusError, match="4 of 4 supervisions have no custom field 'voice_vote'"):
        label(supervisions, load(RECIPE / "conf" / "6class_voted.yaml", TaskConfig))


def test_wrong_level(corpus, tmp_path):
    with pytest.raises(CorpusError, match=f"the folder of the audio; give {corpus}"):
        list(utterances(corpus / "AudioWAV"))
    with pytest.raises(CorpusError, match=rf"no AudioWAV/\*\.wav in it; did you mean {corpus}\?"):
        list(utterances(corpus.parent))
    with pytest.raises(CorpusError, match=r"give the folder that holds AudioWAV/\*\.wav and Vid"):
        list(utterances(corpus / "processedResults"))


@pytest.mark.parametrize(
    "name", ["1001_DFA_JOY_XX", "1001_ABC_ANG_XX", "1001_DFA_ANG_LOW", "0001_DFA_ANG_XX", "speech"]
)
def test_unknown_name(name, corpus):
    (corpus / "AudioWAV" / "1001_DFA_ANG_XX.wav").rename(corpus / "AudioWAV" / f"{name}.wav")
    with pytest.raises(CorpusError, match=rf"{name}\.wav: expected a name such as 1001_DFA_ANG"):
        list(utterances(corpus))


def test_lfs_pointers(corpus):
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 82260\n"
    for name in NAMES[1:3]:
        (corpus / "AudioWAV" / f"{name}.wav").write_text(pointer)
    match = (
        r"2 of 5 files are Git LFS pointers, not audio; first: .*1001_IEO_NEU_XX\.wav\. Run `git"
    )
    with pytest.raises(CorpusError, match=match):
        list(utterances(corpus))


def test_actors(corpus):
    table = corpus / "VideoDemographics.csv"
    table.write_text(ACTORS.replace("1076", "1077"))
    with pytest.raises(CorpusError, match=r"no actor 1076, who speaks 1076_IEO_SAD_HI\.wav"):
        list(utterances(corpus))
    table.write_text(ACTORS.replace('51,"Male"', '?,"Male"'))
    with pytest.raises(CorpusError, match=r"csv:2: expected sex Female or Male and an age"):
        list(utterances(corpus))
    table.write_text(ACTORS.replace("ActorID", "Actor"))
    with pytest.raises(CorpusError, match="no column ActorID; expected .*; found Actor, Age, Sex"):
        list(utterances(corpus))
    table.write_text(ACTORS + "1078\n")
    with pytest.raises(CorpusError, match=r"csv:4: fewer fields than the table's head"):
        list(utterances(corpus))
    table.unlink()
    with pytest.raises(CorpusError, match="VideoDemographics.csv: no such file; it says who is a"):
        list(utterances(corpus))


def test_votes(corpus):
    table = corpus / "processedResults" / "summaryTable.csv"
    table.write_text(VOTES.replace('"A:D:N"', '"A:X"'))
    with pytest.raises(CorpusError, match=r"csv:4: expected VoiceVote as one of A D F H N S, or"):
        list(utterances(corpus))
    table.write_text("".join(VOTES.splitlines(keepends=True)[:3]))
    with pytest.raises(CorpusError, match="no vote for 3 of 5 clips, first: 1001_ITH_FEA_XX, 1076"):
        list(utterances(corpus))
