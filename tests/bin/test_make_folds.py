"""Stage 2 from manifests to a task folder: what stands there, and what stays when a run fails."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from lhotse import Recording, RecordingSet, SupervisionSegment, SupervisionSet
from lhotse.audio import AudioSource

from dsnet.bin.make_folds import main
from dsnet.corpus.fingerprint import fingerprint
from dsnet.corpus.manifests import write_manifests
from dsnet.errors import CorpusError, FoldError
from dsnet.folds.build import build_task
from dsnet.folds.task_data import TaskData
from dsnet.task import FoldConfig, ReferenceConfig, TaskConfig

TASK = {
    "classes": ["neutral", "happy"],
    "label_map": {"N": "neutral", "H": "happy", "E": "happy"},
    "ignored_labels": ["X"],
}


def supervision(utt: str, **changes) -> SupervisionSegment:
    """`a-N-1`: the first neutral utterance of speaker a."""
    speaker, emotion, _ = utt.split("-")
    fields = {
        "id": utt,
        "recording_id": utt,
        "channel": 0,
        "start": 0.0,
        "duration": 1.0,
        "speaker": speaker,
        "gender": "female" if speaker in "ac" else "male",
        "text": f"text  of {utt[-1]}",
        "custom": {"emotion": emotion, "audio_hash": f"hash of {utt}"},
    }
    return SupervisionSegment(**(fields | changes))


CORPUS = [supervision(f"{spk}-{emo}-{n}") for n in (2, 1) for emo in "XNHE" for spk in "dcba"]


def task(**changes) -> TaskConfig:
    return TaskConfig(
        **(TASK | {"references": ReferenceConfig("N", count=2), "folds": FoldConfig()} | changes)
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def run_program(monkeypatch, tmp_path: Path, corpus=CORPUS, *options: str) -> Path:
    recordings = [
        Recording(s.id, [AudioSource("file", [0], f"{s.id}.wav")], 16000, 16000, 1.0)
        for s in corpus
    ]
    write_manifests(
        tmp_path / "manifests",
        RecordingSet.from_recordings(recordings),
        SupervisionSet.from_segments(corpus),
    )
    config = TASK | {"references": {"native_label": "N", "count": 2}}
    (tmp_path / "task.yaml").write_text(yaml.safe_dump(config))
    argv = ["task.yaml", "manifests", "task"]
    monkeypatch.setattr(
        sys, "argv", ["make_folds", *(str(tmp_path / name) for name in argv), *options]
    )
    main()
    return tmp_path / "task"


def test_files_are_those_of_the_contract(tmp_path, monkeypatch, capsys):
    folder = run_program(monkeypatch, tmp_path)
    lists = {"utt2emo", "utt2spk", "utt2text", "spk2gender", "neutral2spk", "spk2neutral"}
    parts = {f"fold_{spk}/{part}" for spk in "abcd" for part in ("train", "dev", "test")}
    assert set(contents(folder)) == lists | parts | {"folds", "task.json", "audit.json"}
    utts = sorted(s.id for s in CORPUS if s.custom["emotion"] != "X")
    assert (folder / "utt2emo").read_text().splitlines() == [
        f"{utt} {'neutral' if '-N-' in utt else 'happy'}" for utt in utts
    ]
    assert (folder / "utt2text").read_text().splitlines()[0] == "a-E-1 text of 1"
    assert (folder / "spk2gender").read_text() == "a f\nb m\nc f\nd m\n"
    assert (folder / "spk2neutral").read_text().splitlines()[0] == "a a-N-1 a-N-2"
    assert (folder / "folds").read_text() == "a\nb\nc\nd\n"
    assert (folder / "fold_d" / "dev").read_text().split() == [u for u in utts if u[0] == "a"]
    assert json.loads((folder / "task.json").read_text())["classes"] == ["neutral", "happy"]
    printed = capsys.readouterr().out
    assert "24 utterances of 4 speakers, 4 folds: each speaker is tested" in printed
    row = ["a", "12", "6", "6", "neutral", "2", "happy", "4", "neutral", "2", "happy", "4"]
    assert row in [line.split() for line in printed.splitlines()]


def test_task_data_reads_what_was_written(tmp_path, monkeypatch):
    folder = run_program(monkeypatch, tmp_path)
    data = TaskData.load(folder)
    assert data.digest == json.loads((folder / "task.json").read_text())["digest"]
    assert data.classes == ["neutral", "happy"]
    assert sorted(u for name in data.fold_names for u in data.fold(name).test) == sorted(
        data.utt2emo
    )
    assert data.references["b-H-1"] == ["b-N-1", "b-N-2"]
    assert data.references["b-N-1"] == ["b-N-2"]


def test_order_of_the_corpus_changes_nothing(tmp_path):
    for name, corpus in (("one", CORPUS), ("two", CORPUS[::-1])):
        config = task(references=ReferenceConfig("N", "random", count=1, seed=3))
        build_task(config, corpus, tmp_path / name)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_failed_run_leaves_the_folder_as_it_was(tmp_path, monkeypatch):
    folder = run_program(monkeypatch, tmp_path)
    before = contents(folder)
    copy = supervision("d-N-1", custom={"emotion": "N", "audio_hash": "hash of a-N-1"})
    with pytest.raises(FoldError, match="same audio"):
        run_program(monkeypatch, tmp_path, [s for s in CORPUS if s.id != copy.id] + [copy])
    assert contents(folder) == before


def test_near_copies_stop_unless_they_are_allowed(tmp_path, monkeypatch):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 16000)
    custom = {"emotion": "N", "fingerprint": fingerprint(noise, 16000)}
    copies = [supervision(utt, custom=custom) for utt in ("a-N-1", "d-N-1")]
    corpus = [s for s in CORPUS if s.id not in ("a-N-1", "d-N-1")] + copies
    with pytest.raises(FoldError, match=r"a-N-1 \(speaker a\) in test and d-N-1 \(speaker d\)"):
        run_program(monkeypatch, tmp_path, corpus)
    folder = run_program(monkeypatch, tmp_path, corpus, "--allow-near-copies", "true")
    assert json.loads((folder / "audit.json").read_text())["near_copies"] == [["a-N-1", "d-N-1"]]


def test_recordings_of_one_file_are_known_by_the_file(tmp_path):
    """Stage 0 names a recording by its utterance where a row is the whole of a channel."""
    files = dict.fromkeys(("a-N-1", "d-N-1"), "talk.wav")
    with pytest.raises(FoldError, match=r"\(1 pairs\) .*: a-N-1 and d-N-1 \(1.00 s\)"):
        build_task(task(), CORPUS, tmp_path, files=files)
    other = supervision("d-N-1", channel=1)
    corpus = [s for s in CORPUS if s.id != other.id] + [other]
    warnings = build_task(task(), corpus, tmp_path, files=files)["warnings"]
    assert [w for w in warnings if w.startswith("1 files are on two sides of a fold")]


def test_new_run_leaves_nothing_stale_and_keeps_what_is_not_its_own(tmp_path):
    build_task(task(), CORPUS, tmp_path)
    (tmp_path / "gate.json").write_text("{}")
    groups = FoldConfig("speaker_groups", "next_group", 3)
    same_text = ReferenceConfig("N", "same_text", count=1)
    build_task(task(folds=groups, references=same_text), CORPUS, tmp_path)
    fresh = tmp_path / "fresh"
    build_task(task(folds=groups, references=same_text), CORPUS, fresh)
    expected = contents(fresh)
    shutil.rmtree(fresh)
    assert contents(tmp_path) == expected | {"gate.json": b"{}"}
    assert "utt2neutral" in expected and "spk2neutral" not in expected
    assert not list(tmp_path.glob(".tmp*"))


def test_edited_references_are_kept_aside(tmp_path, capsys):
    build_task(task(), CORPUS, tmp_path)
    path = tmp_path / "spk2neutral"
    original = path.read_text()
    edited = original.replace("a a-N-1 a-N-2", "a a-N-2")
    path.write_text(edited)
    build_task(task(), CORPUS, tmp_path)
    assert path.read_text() == original
    assert (tmp_path / "spk2neutral.edited").read_text() == edited
    assert "was edited by hand" in capsys.readouterr().out


def test_neutral_may_be_outside_the_task(tmp_path):
    config = task(
        classes=["sad", "happy"],
        label_map={"X": "sad", "H": "happy", "E": "happy"},
        ignored_labels=["N"],
    )
    build_task(config, CORPUS, tmp_path)
    data = TaskData.load(tmp_path)
    assert set(data.utt2emo.values()) == {"sad", "happy"}
    assert all(refs == [f"{utt[0]}-N-1", f"{utt[0]}-N-2"] for utt, refs in data.references.items())
    assert data.reference_utterances.isdisjoint(data.utt2emo)


def test_dropped_speaker_has_no_fold_and_is_counted(tmp_path):
    corpus = [s for s in CORPUS if not s.id.startswith("b-N")]
    config = task(references=ReferenceConfig("N", if_missing="drop_speaker"))
    report = build_task(config, corpus, tmp_path)
    assert report["references"]["dropped_speakers"] == {"b": 4}
    data = TaskData.load(tmp_path)
    assert data.fold_names == ["a", "c", "d"]
    assert {data.utt2spk[u] for u in data.fold("a").dev} == {"c"}  # the next who is left
    assert "b" not in (tmp_path / "utt2spk").read_text()


def test_fallback_references_are_all_of_the_speakers(tmp_path):
    corpus = [s for s in CORPUS if not s.id.startswith("b-N")]
    config = task(references=ReferenceConfig("N", if_missing="all_utterances"))
    build_task(config, corpus, tmp_path)
    data = TaskData.load(tmp_path)
    assert data.references["b-H-1"] == ["b-E-1", "b-E-2", "b-H-2"]
    assert not any(utt.startswith("b") for utt in data.reference_utterances)


@pytest.mark.parametrize("added", ["/1", "JOB"])
def test_name_that_cannot_be_a_folder_or_a_word_for_a_launcher(tmp_path, added):
    corpus = [supervision(s.id, speaker=f"{s.speaker}{added}") for s in CORPUS]
    with pytest.raises(FoldError, match=f"fold 'a{added}'"):
        build_task(task(), corpus, tmp_path)
    assert contents(tmp_path) == {}


def test_no_manifests_say_which_stage_to_run(tmp_path, monkeypatch):
    (tmp_path / "task.yaml").write_text(yaml.safe_dump(TASK))
    monkeypatch.setattr(sys, "argv", ["", str(tmp_path / "task.yaml"), str(tmp_path), "task"])
    with pytest.raises(CorpusError, match="recordings.jsonl.gz: no such manifest; run --stage 0"):
        main()


def test_texts_that_another_part_has_leave_the_fold(tmp_path):
    corpus = [supervision(s.id, text=f"own words of {s.id}") for s in CORPUS]
    shared = {"a-H-1": "So what?", "b-H-1": "so what", "c-H-1": "So - what!", "a-N-1": "Hm."}
    corpus = [supervision(s.id, text=shared[s.id]) if s.id in shared else s for s in corpus]
    build_task(task(folds=FoldConfig(repeated_text="leave_out")), corpus, tmp_path)
    data = TaskData.load(tmp_path)
    all_of = {spk: {u for u in data.utt2spk if u[0] == spk} for spk in "abcd"}
    first = data.fold("a")  # tests a, validates with b, trains on c and d
    assert set(first.test) == all_of["a"]
    assert set(first.dev) == all_of["b"] - {"b-H-1"}
    assert set(first.train) == (all_of["c"] | all_of["d"]) - {"c-H-1"}


def test_a_task_of_some_utterances_takes_its_references_from_them(tmp_path):
    corpus = [
        supervision(
            s.id,
            custom=s.custom | {"take": s.id[-1], "voted": s.custom["emotion"].lower()},
        )
        for s in CORPUS
    ]
    config = task(
        label_map={"n": "neutral", "h": "happy", "e": "happy"},
        ignored_labels=["x"],
        label_field="voted",
        only={"take": ["2"]},
        references=ReferenceConfig("n", count=2),
    )
    build_task(config, corpus, tmp_path)
    data = TaskData.load(tmp_path)
    assert {utt[-1] for utt in data.utt2emo} == {"2"} and len(data.utt2emo) == 12
    assert data.reference_utterances == {f"{spk}-N-2" for spk in "abcd"}


def test_no_text_to_leave_out_by_is_an_error(tmp_path):
    corpus = [supervision(s.id, text=None) for s in CORPUS]
    with pytest.raises(FoldError, match="none of the 24 utterances has a text"):
        build_task(task(folds=FoldConfig(repeated_text="leave_out")), corpus, tmp_path)
