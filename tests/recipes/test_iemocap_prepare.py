"""IEMOCAP's prepare.py on small trees in the layout of the release, whole and spoiled."""

import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dsnet.config import load
from dsnet.corpus.gate import label
from dsnet.corpus.manifests import read_manifests
from dsnet.corpus.prepare import prepare
from dsnet.errors import CorpusError
from dsnet.folds.build import build_task
from dsnet.task import TaskConfig

RECIPE = Path(__file__).parents[2] / "egs" / "iemocap"
PREPARE = RECIPE / "local" / "prepare.py"
TASKS = sorted(p.stem for p in (RECIPE / "conf").glob("[46]class*.yaml"))
utterances = runpy.run_path(str(PREPARE))["utterances"]

# utterance: label, valence activation dominance, words; two dialogues of session 1
DIALOGUES = {
    "Ses01F_impro04": {
        "Ses01F_impro04_F000": ("neu", "[2.5000, 2.5000, 2.5000]", "Excuse me."),
        "Ses01F_impro04_M000": ("exc", "[4.0000, 3.6667, NaN]", "Did you get the mail? [LAUGHTER]"),
        "Ses01F_impro04_M001": ("xxx", "[3, 2.5, 3]", ""),
    },
    "Ses01M_script01_1b": {
        "Ses01M_script01_1b_F000": ("hap", "[4.0000, 3.0000, 3.0000]", "Nothing."),
        "Ses01M_script01_1b_M012": ("fru", "[2.0000, 3.5000, 4.0000]", None),
    },
}
# sessions 2 to 5, so that every label occurs
OTHERS = {2: "ang", 3: "sad", 4: "fea sur", 5: "dis oth"}
ELEVEN = {"ang", "hap", "sad", "neu", "exc", "fru", "fea", "sur", "dis", "oth", "xxx"}
RATERS = "C-E2:\tNeutral;\t(café)\nC-F1:\tNeutral; Anger;\t()\nA-E3:\tval 3; act 2; dom  2;\t()\n"


def write_dialogue(corpus, dialogue, rows):
    session = corpus / f"Session{dialogue[4]}"
    wav = session / "sentences" / "wav" / dialogue
    labels, texts = (session / "dialog" / d for d in ("EmoEvaluation", "transcriptions"))
    lines, words = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""], []
    for folder in (wav, labels, texts, labels / "Categorical"):
        folder.mkdir(parents=True, exist_ok=True)
    for utt, (emotion, values, text) in rows.items():
        samples = np.random.default_rng([ord(c) for c in utt]).uniform(-0.5, 0.5, 2000)
        soundfile.write(wav / f"{utt}.wav", samples, 16000)
        lines += [f"[6.2901 - 8.2357]\t{utt}\t{emotion}\t{values}", RATERS]
        if text is not None:
            words.append(f"{utt} [006.2901-008.2357]: {text}")
    (labels / f"{dialogue}.txt").write_text("\n".join(lines), encoding="latin-1")
    (texts / f"{dialogue}.txt").write_text("\r\n".join(words) + "\r\n")
    (labels / "Categorical" / f"{dialogue}_e2_cat.txt").write_text(f"{utt} :Anger; ()\n")
    for path in (labels / f"{dialogue}.txt", wav / f"{utt}.wav", texts / f"{dialogue}.txt"):
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\26\7\0\2\0\0Mac OS X")
    (wav.parent / f"._{dialogue}").write_bytes(b"\0\5\26\7")


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "Korpora für uns" / "IEMOCAP_full_release"
    for dialogue, rows in DIALOGUES.items():
        write_dialogue(folder, dialogue, rows)
    for number, emotions in OTHERS.items():
        dialogue = f"Ses0{number}F_impro01"
        rows = {
            f"{dialogue}_F00{i}": (emotion, "[3.0000, 3.0000, 3.0000]", "Yes.")
            for i, emotion in enumerate(emotions.split())
        }
        write_dialogue(folder, dialogue, rows)
    return folder


def labels_of(corpus, dialogue="Ses01F_impro04"):
    return corpus / f"Session{dialogue[4]}" / "dialog" / "EmoEvaluation" / f"{dialogue}.txt"


def wav_of(corpus, utt):
    dialogue = utt.rsplit("_", 1)[0]
    return corpus / f"Session{utt[4]}" / "sentences" / "wav" / dialogue / f"{utt}.wav"


def append(path, text):
    path.write_bytes(path.read_bytes() + text.encode())


def refused(corpus, message):
    with pytest.raises(CorpusError, match=message):
        list(utterances(corpus))


def test_utterances(corpus, tmp_path):
    command = [sys.executable, str(PREPARE), str(corpus), str(tmp_path / "m")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    _, supervisions = read_manifests(tmp_path / "m")
    found = [(s.id, s.speaker, s.custom["emotion"], s.gender) for s in supervisions]
    assert found == [
        ("Ses01F_impro04_F000", "Ses01F", "neu", "female"),
        ("Ses01F_impro04_M000", "Ses01M", "exc", "male"),
        ("Ses01F_impro04_M001", "Ses01M", "xxx", "male"),
        ("Ses01M_script01_1b_F000", "Ses01F", "hap", "female"),
        ("Ses01M_script01_1b_M012", "Ses01M", "fru", "male"),
        ("Ses02F_impro01_F000", "Ses02F", "ang", "female"),
        ("Ses03F_impro01_F000", "Ses03F", "sad", "female"),
        ("Ses04F_impro01_F000", "Ses04F", "fea", "female"),
        ("Ses04F_impro01_F001", "Ses04F", "sur", "female"),
        ("Ses05F_impro01_F000", "Ses05F", "dis", "female"),
        ("Ses05F_impro01_F001", "Ses05F", "oth", "female"),
    ]
    excited, scripted = supervisions["Ses01F_impro04_M000"], supervisions["Ses01M_script01_1b_M012"]
    assert excited.text == "Did you get the mail? [LAUGHTER]" and scripted.text is None
    assert excited.custom.pop("audio_hash") != scripted.custom.pop("audio_hash")
    del excited.custom["fingerprint"], scripted.custom["fingerprint"]
    assert excited.custom == {
        "emotion": "exc",
        "condition": "impro",
        "valence": 4.0,
        "activation": 3.6667,
        "session": "Ses01",
        "dialogue": "Ses01F_impro04",
    }
    assert scripted.custom == {
        "emotion": "fru",
        "condition": "script",
        "valence": 2.0,
        "activation": 3.5,
        "dominance": 4.0,
        "session": "Ses01",
        "dialogue": "Ses01M_script01_1b",
    }
    assert "note: 2 of 11 utterances without text, first Ses01F_impro04_M001" in done.stdout


def test_transcriptions_are_optional(corpus, capsys):
    texts = {n: corpus / f"Session{n}" / "dialog" / "transcriptions" for n in range(1, 6)}
    append(
        texts[1] / "Ses01F_impro04.txt",
        "M: Yeah.\r\n"
        "Ses01F_impro04_MXX0 [151.2551-153.4251]: [LAUGHTER]\r\n"
        "Ses01F_impro04_F000 [006.2901-008.2357]: Something else.\r\n",
    )
    shutil.rmtree(texts[3])
    found = {u.id: u.text for u in utterances(corpus)}
    assert found["Ses01F_impro04_F000"] == "Excuse me."
    assert found["Ses03F_impro01_F000"] is None
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "note: no folder dialog/transcriptions in Session3: no texts from there"
    assert printed[1] == "note: 3 of 11 utterances without text, first Ses01F_impro04_M001"
    assert "3 lines of the transcriptions left out" in printed[2]
    assert "Ses01F_impro04.txt:4" in printed[2]
    for folder in texts.values():
        shutil.rmtree(folder, ignore_errors=True)
    assert {u.text for u in utterances(corpus)} == {None}
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_wrong_level(corpus, tmp_path):
    for part in ("", "sentences/wav", "dialog/EmoEvaluation", "sentences/wav/Ses01F_impro04"):
        refused(corpus / "Session1" / part, rf"no folders Session1 .*did you mean {corpus}\?")
    refused(corpus.parent, rf"did you mean {corpus}\?")
    refused(corpus.parent.parent, rf"did you mean {corpus}\?")
    refused(tmp_path / "nothing", "give the folder that holds them")
    top = tmp_path / "withoutVideos.tar"
    top.mkdir()
    corpus.parent.rename(top / "withoutVideos")
    there = top / "withoutVideos" / corpus.name
    refused(tmp_path, rf"did you mean {there}\?")


def test_missing_parts(corpus):
    shutil.rmtree(corpus / "Session5" / "sentences")
    refused(corpus, r"lacks Session5/sentences/wav; is the copy complete\?")
    shutil.rmtree(corpus / "Session3")
    shutil.rmtree(corpus / "Session4")
    refused(corpus, "lacks Session3, Session4; is the copy complete")


def test_labels_and_audio_belong_together(corpus):
    wav_of(corpus, "Ses01F_impro04_M000").unlink()
    refused(corpus, "1 label lines without a wav file: Ses01F_impro04_M000. In the release")
    template = wav_of(corpus, "Ses01F_impro04_F000")
    for number in range(12):
        shutil.copy(template, wav_of(corpus, f"Ses02F_impro01_M{number:03}"))
    ten = ", ".join(f"Ses02F_impro01_M{number:03}" for number in range(10))
    refused(corpus, f"M000; 12 wav files without a label line: {ten}, ...")


@pytest.mark.parametrize("emotion", ["neu", "ang"])
def test_second_label(corpus, emotion):
    line = f"[6.2901 - 8.2357]\tSes01F_impro04_F000\t{emotion}\t[2.5000, 2.5000, 2.5000]\n"
    append(labels_of(corpus), line)
    refused(
        corpus,
        rf"impro04\.txt:17: second label line of 'Ses01F_impro04_F000' \({emotion}\); the first is "
        r".*impro04\.txt:3 \(neu\)",
    )


@pytest.mark.parametrize(
    "line",
    [
        "[6.2901 - 8.2357]\tSes01F_impro04_F009\tjoy\t[2.5000, 2.5000, 2.5000]",
        "[6.2901 - 8.2357]\tSes01F_impro04_F009\tneu\t[2.5000, 2.5000]",
        "[6.2901 - 8.2357]\tSes01F_impro04_F009\tneu",
        "6.2901 - 8.2357]\tSes01F_impro04_F009\tneu\t[2.5000, 2.5000, 2.5000]",
    ],
)
def test_malformed_label(corpus, line):
    append(labels_of(corpus), line + "\n")
    refused(corpus, r"impro04\.txt:17: expected '\[start - end\] utterance label .*found '\[?6")


@pytest.mark.parametrize(
    ("utt", "why"),
    [
        ("Ses01M_script01_1b_F005", "is of dialogue Ses01M_script01_1b in Session1, but stands in"),
        ("Ses02F_impro04_F005", "is of dialogue Ses02F_impro04 in Session2, but stands in"),
        ("Ses01F_impro04_X005", "expected a name such as Ses01F_impro04_M000"),
    ],
)
def test_misplaced(corpus, utt, why):
    wav = wav_of(corpus, "Ses01F_impro04_F000")
    shutil.copy(wav, wav.with_name(f"{utt}.wav"))
    refused(corpus, rf"{utt}\.wav: .*{why}")
    wav.with_name(f"{utt}.wav").unlink()
    append(labels_of(corpus), f"[6.2 - 8.2]\t{utt}\tneu\t[2.5, 2.5, 2.5]\n")
    refused(corpus, rf"impro04\.txt:17: .*{why}")


def test_label_file_in_another_session(corpus):
    shutil.copy(labels_of(corpus), labels_of(corpus, "Ses02F_impro01").parent)
    refused(corpus, "of dialogue Ses01F_impro04 in Session1, but stands in .* of Session2")


@pytest.mark.parametrize("task", TASKS)
def test_every_label_has_a_place_in_every_task(corpus, tmp_path, task):
    prepare(list(utterances(corpus)), tmp_path / "m")
    config = load(RECIPE / "conf" / f"{task}.yaml", TaskConfig)
    assert {*config.label_map, *config.ignored_labels} == ELEVEN
    found = label(read_manifests(tmp_path / "m")[1], config)
    expected = {
        "4class": 5,
        "4class_sessions": 5,
        "4class_notextoverlap": 5,
        "4class_improvised": 4,
        "4class_noexc": 4,
        "6class": 6,
    }
    assert len(found.utt2emo) == expected[task]


def test_no_text_overlap(tmp_path):
    """The script's lines leave training where the test speaker or the partner says them too."""
    corpus = tmp_path / "IEMOCAP_full_release"
    emotions = ["neu", "ang", "hap", "sad"]
    for n in range(1, 6):
        for condition in ("impro01", "script01_1"):
            dialogue = f"Ses0{n}F_{condition}"
            rows = {}
            for i, emotion in enumerate(emotions):
                for sex in "FM":
                    # improvised: never the same; scripted: a part a sex, the same in all sessions
                    said = f"{condition} {sex} {i}" + ("" if "_" in condition else f" {n}")
                    rows[f"{dialogue}_{sex}00{i}"] = (emotion, "[3, 3, 3]", said)
            write_dialogue(corpus, dialogue, rows)
    prepare(list(utterances(corpus)), tmp_path / "m")
    _, supervisions = read_manifests(tmp_path / "m")
    config = load(RECIPE / "conf" / "4class_notextoverlap.yaml", TaskConfig)
    report = build_task(config, list(supervisions), tmp_path / "task")
    assert len(report["folds"]) == 10
    for name, fold in report["folds"].items():
        counts = [fold[part]["utterances"] for part in ("train", "dev", "test")]
        assert counts == [8 * 4, 8, 8], name  # 8 speakers keep their 4 improvised utterances
