"""MSP-Podcast's recipe on a small tree, whole and spoiled, and its protocol at true size."""

import json
import runpy
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from like_msp_podcast import rows, write_labels
from small_recipe import SHARED, environment

from dsnet.config import load
from dsnet.corpus.audio import AudioFacts
from dsnet.corpus.gate import count, label
from dsnet.corpus.manifests import make_manifests, read_manifests
from dsnet.errors import CorpusError
from dsnet.folds.build import build_task
from dsnet.folds.task_data import TaskData
from dsnet.task import TaskConfig

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "egs" / "msp_podcast"
prepare = runpy.run_path(str(RECIPE / "local" / "prepare.py"))
utterances = prepare["utterances"]
SIDES = ["Train", "Train", "Train", "Train", "Development", "Development", "Test1"]


def table() -> list[dict[str, str]]:
    """Return 58 rows: 7 speakers with all eight classes, one of them X, and two of nobody known."""
    found = []
    for n, side in enumerate(SIDES):
        for k, emotion in enumerate("AHSNFDUC"):
            found.append(
                {
                    "FileName": f"MSP-PODCAST_{n:04}_{k:04}.wav",
                    "EmoClass": emotion,
                    "EmoAct": "4.2",
                    "EmoVal": "",
                    "EmoDom": "5",
                    "SpkrID": str(n),
                    "Gender": ("Male", "Female")[n % 2],
                    "Split_Set": side,
                }
            )
    nobody = {"SpkrID": "Unknown", "Gender": "Unknown"}
    found.append(found[0] | nobody | {"FileName": "MSP-PODCAST_0007_0001.wav"})
    found.append(
        found[0] | nobody | {"FileName": "MSP-PODCAST_0008_0001_02.wav", "Split_Set": "Test2"}
    )
    found[7]["EmoClass"] = "X"
    return found


def make_corpus(corpus: Path) -> Path:
    """Write the tree, two files of Test3 without rows among it."""
    found = table()
    write_labels(corpus, found)
    names = [row["FileName"] for row in found] + ["MSP-PODCAST_test3_0001.wav"]
    names.append("MSP-PODCAST_test3_0002.wav")
    (corpus / "Audios").mkdir()
    for i, name in enumerate(names):
        samples = np.random.default_rng(i).uniform(-0.5, 0.5, 8000)
        soundfile.write(corpus / "Audios" / name, samples, 16000)
    (corpus / "Audios" / f"._{name}").write_bytes(b"\0\5\26\7")
    return corpus


@pytest.fixture
def corpus(tmp_path):
    return make_corpus(tmp_path / "MSP Podcast")


def refused(corpus, message):
    with pytest.raises(CorpusError, match=message):
        list(utterances(corpus))


def test_utterances(corpus, capsys):
    found = {u.id: u for u in utterances(corpus)}
    assert len(found) == 60
    assert "2 files without a row" in capsys.readouterr().out
    first = found["MSP-PODCAST_0000_0000"]
    assert (first.speaker, first.emotion, first.sex, first.dialogue) == (
        "0", "A", "male", "MSP-PODCAST_0000",
    )  # fmt: skip
    assert first.custom == {"partition": "Train", "activation": 4.2, "dominance": 5.0}
    nobody = found["MSP-PODCAST_0008_0001_02"]
    assert not nobody.speaker_is_known and nobody.sex is None
    assert nobody.dialogue == "MSP-PODCAST_0008" and nobody.custom["partition"] == "Test2"
    hidden = found["MSP-PODCAST_test3_0001"]
    assert (hidden.emotion, hidden.custom["partition"]) == ("hidden", "Test3")
    assert hidden.dialogue is None  # not one conversation of all of them


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"EmoClass": "Z"}, r"csv:2: EmoClass: expected one of A H S N F D U C O X; found"),
        ({"EmoAct": "high"}, r"csv:2: EmoAct: expected a number or nothing"),
        ({"Gender": "m"}, r"csv:2: Gender: expected Female, Male or Unknown"),
        ({"Split_Set": " "}, r"csv:2: Split_Set: expected one of Train Development Test1"),
        ({"Split_Set": "test1"}, r"csv:2: Split_Set: expected one of Train Development Test1"),
        ({"FileName": "a.wav"}, r"csv:2: FileName: expected a name such as"),
        ({"FileName": "MSP-PODCAST_0000_0001.wav"}, r"csv:3: a second row of MSP-PODCAST_0000"),
    ],
)
def test_rows_that_do_not_fit(corpus, change, message):
    found = table()
    write_labels(corpus, [found[0] | change, *found[1:]])
    refused(corpus, message)


def test_trees_that_are_not_whole(corpus):
    (corpus / "Audios" / "MSP-PODCAST_0000_0003.wav").unlink()
    refused(corpus, "1 of 58 rows of .* without an audio file: MSP-PODCAST_0000_0003.wav")
    (corpus / "Audios" / "song.wav").write_bytes(b"")
    refused(corpus, "1 files with other names than .*: song.wav")
    shutil.rmtree(corpus / "Audios")
    refused(corpus, "no folder Audios in it")
    (corpus / "Labels" / "labels_consensus.csv").write_text("FileName,EmoClass\n")
    refused(corpus, "no column EmoAct, EmoVal, .*; found FileName, EmoClass")
    shutil.rmtree(corpus / "Labels")
    refused(corpus, "no Labels/labels_consensus.csv in it")


def test_layouts_and_spellings_of_other_releases(corpus, tmp_path):
    """Release 1.8 has another table and side; archives are unpacked in folders of their name."""
    new = {u.id: u for u in utterances(corpus)}
    old = make_corpus(tmp_path / "1.8")
    found = table()
    for row in found:
        if row["Split_Set"] == "Development":
            row["Split_Set"] = "Validation"
    write_labels(old, found).rename(old / "Labels" / "labels_concensus.csv")
    (old / "Labels").rename(old / "label")
    (old / "Audios").rename(old / "Audio")
    for i, path in enumerate(sorted((old / "Audio").glob("M*"))):
        part = path.parent / f"part{i % 2}"
        part.mkdir(exist_ok=True)
        path.rename(part / path.name)
    nested = make_corpus(tmp_path / "2.0")
    for name in ("Labels", "Audios"):
        (nested / name).rename(nested / "moved")
        (nested / name).mkdir()
        (nested / "moved").rename(nested / name / name)
    for other in (old, nested):
        read = {u.id: u for u in utterances(other)}
        assert read.keys() == new.keys()
        for utt in read:
            for field in ("speaker", "emotion", "custom", "dialogue", "sex"):
                assert getattr(read[utt], field) == getattr(new[utt], field)
            assert read[utt].path.name == new[utt].path.name


def test_which_of_two(corpus):
    names = sorted(path.name for path in (corpus / "Audios").glob("M*"))[:2]
    (corpus / "Audios" / "more").mkdir()
    for name in names:
        shutil.copy(corpus / "Audios" / name, corpus / "Audios" / "more")
    refused(corpus, f"2 files have another of their name in another folder: .*{names[0]}, ")
    (corpus / "Audio").mkdir()
    refused(corpus, "both Audios and Audio are in it")
    shutil.copy(
        corpus / "Labels" / "labels_consensus.csv", corpus / "Labels" / "labels_concensus.csv"
    )
    refused(corpus, "two tables, ")


def test_wrong_level(corpus):
    for name in ("Labels", "Audios"):
        refused(corpus / name, rf"no Labels/labels_consensus.csv in it; did you mean {corpus}\?")
    refused(corpus.parent, rf"did you mean {corpus}\?")
    refused(corpus.parent.parent, "give the folder that holds Audios and Labels")
    (corpus / "Labels" / "labels_consensus.csv").rename(corpus / "Labels" / "labels.txt")
    refused(corpus, "labels.txt and no labels_consensus.csv; releases before 1.6")


def test_a_row_that_release_2_has_no_file_of(corpus, capsys):
    absent = table()[0] | {"FileName": "MSP-PODCAST_1909_1017.wav"}
    write_labels(corpus, [*table(), absent])
    assert len(list(utterances(corpus))) == 60
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "labels_consensus.csv: no file of MSP-PODCAST_1909_1017.wav, as released"
    assert printed[1].startswith("2 files without a row")
    write_labels(corpus, [*table(), absent | {"FileName": "MSP-PODCAST_1909_1018.wav"}])
    refused(corpus, "1 of 59 rows .*: MSP-PODCAST_1909_1018.wav. Is the copy .* NOT_RELEASED")


def test_speakers_on_two_sides_stay_with_the_test(corpus, capsys):
    """Speaker 0 of Train is in Test2, too, speaker 4 of Development in Test1."""
    rows = table()
    rows[-1]["SpkrID"] = "0"
    rows[-3]["SpkrID"] = "4"
    write_labels(corpus, rows)
    found = {u.id: u for u in utterances(corpus)}
    assert "16 turns left out (Development 8, Train 8): " in capsys.readouterr().out
    assert len(found) == 60 - 16
    sides = {(u.speaker, u.custom["partition"]) for u in found.values() if u.speaker_is_known}
    assert {side for speaker, side in sides if speaker in "04"} == {"Test1", "Test2"}
    nobody = [u for u in found.values() if not u.speaker_is_known]
    assert len(nobody) == 3  # one of Train, two of Test3: nobody is no speaker on two sides


def copy_project(top: Path) -> Path:
    """Copy what the recipe needs; return its folder."""
    for name in ("path.sh", "utils", *SHARED, "egs/msp_podcast"):
        source, target = ROOT / name, top / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "data"))
        else:
            shutil.copy(source, target)
    return top / "egs" / "msp_podcast"


@pytest.mark.slow
def test_the_recipe_to_stage_2(corpus, tmp_path):
    recipe = copy_project(tmp_path / "a project")
    command = ["bash", str(recipe / "run.sh"), "--corpus-dir", str(corpus), "--stop-stage", "2"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    _, supervisions = read_manifests(recipe / "data" / "manifests")
    assert len(supervisions) == 60
    task = TaskData.load(recipe / "data" / "8class")
    fold = task.fold("predefined")
    assert (len(fold.train), len(fold.dev), len(fold.test)) == (4 * 8 - 1 + 1, 16, 9)
    assert sorted({task.utt2partition[utt] for utt in fold.test}) == ["Test1", "Test2"]
    gate = json.loads((recipe / "data" / "manifests" / "gate.8class.json").read_text())
    assert gate["ignored"] == {"X": 1, "hidden": 2} and gate["of_unknown"] == 2
    for words in ("test: Test1 8 Test2 1", "2 utterances of unknown speakers (train 1 dev 0 test"):
        assert words in done.stdout
    four = [*command, "--task", "4class"]
    done = subprocess.run(four, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(TaskData.load(recipe / "data" / "4class").utt2emo) == 7 * 4 + 2


@pytest.mark.slow
def test_the_protocol_at_true_size(tmp_path):
    """150,000 rows; twice as many may take little more than twice the time."""
    config = load(RECIPE / "conf" / "8class.yaml", TaskConfig)
    seconds = []
    for size in (75_000, 150_000):
        path = write_labels(tmp_path / str(size), list(rows(size)))
        begin = time.process_time()
        read = prepare["read_labels"](path)
        assert len(read) == size
        found = [prepare["utterance"](name, row, Path(name)) for name, row in read.items()]
        facts = (
            (u, AudioFacts(16000, 1, 80000, 0, 80000, f"{i:x}", "", (), False))
            for i, u in enumerate(found)
        )
        _, supervisions = make_manifests(facts)
        gate = count(label(supervisions, config), config)
        report = build_task(config, supervisions, tmp_path / str(size) / "8class")
        task = TaskData.load(tmp_path / str(size) / "8class")
        seconds.append(time.process_time() - begin)
        kept = [row for row in read.values() if row["EmoClass"] not in "OX"]
        assert gate.utterances == report["num_utterances"] == len(kept)
        test = task.fold("predefined").test
        assert len(test) == sum(row["Split_Set"].startswith("Test") for row in kept)
        assert report["num_of_unknown_speakers"] == sum(row["SpkrID"] == "Unknown" for row in kept)
        speakers = {row["SpkrID"] for row in kept} - {"Unknown"}
        assert report["num_speakers"] == len(speakers)
    assert seconds[1] < 4 * seconds[0]
