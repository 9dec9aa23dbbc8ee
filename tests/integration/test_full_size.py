"""IEMOCAP and MSP-IMPROV at their full size, on trees of the true layout with stand-in audio.

The trees come from tools/make_corpus_like.py beside the folder that DSNET_CORPORA names, which
holds EmoDB for their audio.
"""

import csv
import json
import os
import runpy
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from benchmark_stages import copy_recipe

from dsnet.config import load
from dsnet.corpus.gate import count, label
from dsnet.corpus.manifests import read_manifests
from dsnet.folds.build import build_task
from dsnet.task import TaskConfig

pytestmark = pytest.mark.slow
EGS = Path(__file__).parents[2] / "egs"


@pytest.fixture
def make_corpus(tmp_path):
    """A function that makes a tree; it goes when the test ends."""
    if "DSNET_CORPORA" not in os.environ:
        pytest.skip("DSNET_CORPORA is not set")
    corpora = Path(os.environ["DSNET_CORPORA"]).absolute()
    script = corpora.parent / "tools" / "make_corpus_like.py"
    for needed in (script, corpora / "emodb" / "wav"):
        if not needed.exists():
            pytest.skip(f"no {needed}")
    tool = runpy.run_path(str(script))

    def make(name, sampling_rate):
        speech = tool["speech_pool"](corpora / "emodb" / "wav", sampling_rate)
        tool[name](tmp_path / name, speech, sampling_rate, np.random.default_rng(0), None)
        with (corpora.parent / "meta" / f"{name}_4class.tsv").open(newline="") as stream:
            rows = csv.DictReader(stream, delimiter="\t")
            return tmp_path / name, {row["utt_id"]: row for row in rows}

    yield make
    for folder in tmp_path.iterdir():
        shutil.rmtree(folder)


@pytest.fixture
def run_recipe(quick_env):
    def run(recipe, corpus, *options):
        command = ["bash", str(recipe / "run.sh"), "--corpus-dir", str(corpus), *options]
        done = subprocess.run(command, env=quick_env, cwd="/", capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    return run


def gate_of(recipe, task, supervisions):
    config = load(recipe / "conf" / f"{task}.yaml", TaskConfig)
    return count(label(supervisions, config), config)


def compare_with_list(recipe, listed):
    """Every utterance of the published list has its speaker and label; the others no class.

    Returns:
        The supervisions without fingerprints: stand-in audio is the same speech many times.
    """
    _, supervisions = read_manifests(recipe / "data" / "manifests")
    assert len(listed) < len(supervisions)
    found = {s.id: (s.speaker, s.custom["emotion"]) for s in supervisions if s.id in listed}
    assert found == {utt: (row["speaker"], row["emotion"]) for utt, row in listed.items()}
    for supervision in supervisions:
        supervision.custom.pop("fingerprint", None)
    return list(supervisions)


def write_texts(corpus):
    """Let both versions of a script have the same lines; nobody else says the same."""
    for path in corpus.glob("Session*/dialog/transcriptions/*.txt"):
        lines = []
        for line in path.read_text().splitlines():
            utt, time, _ = line.split(maxsplit=2)
            lines.append(f"{utt} {time} {said(utt)}\n")
        path.write_text("".join(lines))


def said(utt):
    return utt[7:] if "script" in utt else utt


def read_fold(task_dir, name):
    folder = task_dir / f"fold_{name}"
    return [set((folder / part).read_text().split()) for part in ("test", "dev", "train")]


def test_iemocap(tmp_path, make_corpus, run_recipe):
    corpus, listed = make_corpus("iemocap", 16000)
    write_texts(corpus)
    recipe = copy_recipe(EGS / "iemocap", tmp_path / "a project")
    run_recipe(recipe, corpus, "--stop-stage", "2")
    supervisions = compare_with_list(recipe, listed)
    report = json.loads((recipe / "data/manifests/gate.4class.json").read_text())
    assert report["utterances"] == 5531 and report["ignored"].keys() == {"fru", "xxx"}
    speakers = sorted({row["speaker"] for row in listed.values()})
    assert len(speakers) == 10
    assert (recipe / "data/4class/folds").read_text().split() == speakers
    test, dev, train = read_fold(recipe / "data/4class", "Ses04M")
    assert len(test) == 503 and len(dev) == 528 and len(train) == 5531 - 503 - 528
    assert {listed[utt]["speaker"] for utt in dev} == {"Ses04F"}

    sizes = {"4class_improvised": 2943, "4class_noexc": 4490, "4class_sessions": 5531}
    for task, size in sizes.items():
        gate = gate_of(recipe, task, supervisions)
        assert gate.utterances == size and gate.differences == []
        config = load(recipe / "conf" / f"{task}.yaml", TaskConfig)
        audit = build_task(config, supervisions, tmp_path / task)
        assert audit["num_utterances"] == size
        assert len(audit["folds"]) == (5 if "sessions" in task else 10)

    config = load(recipe / "conf" / "4class_notextoverlap.yaml", TaskConfig)
    build_task(config, supervisions, tmp_path / "notextoverlap")
    of = {utt: row["speaker"] for utt, row in listed.items()}
    for speaker in speakers:
        partner = speaker[:5] + {"F": "M", "M": "F"}[speaker[5]]
        test = {utt for utt in of if of[utt] == speaker}
        tested = {said(utt) for utt in test}
        dev = {utt for utt in of if of[utt] == partner and said(utt) not in tested}
        both = {said(utt) for utt in of if of[utt] in (speaker, partner)}
        train = {utt for utt in of if of[utt] not in (speaker, partner) and said(utt) not in both}
        assert read_fold(tmp_path / "notextoverlap", speaker) == [test, dev, train]
        assert 2000 < len(train) < 5531 - len(test) - len(dev)


def test_msp_improv(tmp_path, make_corpus, run_recipe):
    corpus, listed = make_corpus("msp_improv", 16000)  # not 44,100: less to write and to resample
    recipe = copy_recipe(EGS / "msp_improv", tmp_path / "a project")
    run_recipe(recipe, corpus, "--stop-stage", "0")  # the features are those of any corpus
    supervisions = compare_with_list(recipe, listed)
    folds = {"4class": (7798, 12), "4class_sessions": (7798, 6), "4class_improvised": (4580, 12)}
    for task, (size, num_folds) in folds.items():
        gate = gate_of(recipe, task, supervisions)
        assert gate.utterances == size and gate.differences == []
        config = load(recipe / "conf" / f"{task}.yaml", TaskConfig)
        audit = build_task(config, supervisions, tmp_path / task)
        assert audit["num_utterances"] == size and len(audit["folds"]) == num_folds
