"""The ledger: what a line keeps, when one is appended, which lines count."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from dsnet.config import config_digest, load
from dsnet.errors import ScoringError
from dsnet.report.summary import summarise
from dsnet.results import ledger
from dsnet.results.staleness import current_digest, select
from dsnet.results.store import read_results
from dsnet.systems.config import SystemConfig


@pytest.fixture
def exp_dir(small_task, make_exp, fake_system):
    given = {"side_information": "1 clip", "given_utterances": ["A_neutral_0"]}
    systems = {"base_matched": fake_system(), "dsnet": fake_system("dsnet", 3.0, train=given)}
    return make_exp(small_task, systems)


@pytest.fixture
def score(small_task, exp_dir, tmp_path):
    """Return a function that does what stage 5 does with the ledger: results and stale runs."""

    def run(task=small_task):
        read = read_results(exp_dir, task)
        lines = ledger.update(tmp_path / "ledger.jsonl", read)
        return select(lines, read, exp_dir, tmp_path / "recipe")

    return run


def lines_of(tmp_path):
    return (tmp_path / "ledger.jsonl").read_text().splitlines()


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_results_come_back_as_they_were_read(small_task, exp_dir, score):
    read = read_results(exp_dir, small_task)
    results, stale = score()
    assert not stale
    assert [system.name for system in results.systems] == ["base_matched", "dsnet"]
    for before, after in zip(read.systems, results.systems, strict=True):
        assert np.array_equal(results.confusions(after), read.confusions(before))
        assert [(r.seed, r.fold) for r in after.runs] == [(r.seed, r.fold) for r in before.runs]
        assert [r.folder for r in after.runs] == [r.folder for r in before.runs]
        assert not after.missing
    assert results.systems[1].runs[0].given_utterances == {"A_neutral_0"}
    assert results.clips == read.clips


def test_a_line_by_hand(tiny_task, tmp_path, fake_system, make_exp):
    """Speaker A says a neutral and a sad utterance; both are taken for sad."""
    exp_dir = make_exp(tiny_task, {"base": fake_system()}, seeds=1)
    header = "utt_id\tneutral\tsad\n"
    table = header + "A_sad_0\t0.2\t0.8\nA_neutral_0\t0.3\t0.7\n"
    (exp_dir / "base/seed_1/fold_A/test/posteriors.tsv").write_text(table)
    ledger.update(tmp_path / "ledger.jsonl", read_results(exp_dir, tiny_task))
    line = next(line for line in map(json.loads, lines_of(tmp_path)) if line["fold"] == "A")
    assert (line["system"], line["seed"]) == ("base", 1)
    assert line["predictions"] == "11"
    assert line["uar"] == 0.5
    assert sum(line["calibration"]["raw"]["hits"]) == 1
    assert line["calibration"]["raw"]["brier"] == pytest.approx(2 * 0.2**2 + 2 * 0.7**2)
    assert line["train"]["config_digest"] == "digest-of-base"
    assert "command" not in line["train"]


def test_nothing_is_appended_twice(score, tmp_path):
    score()
    before = lines_of(tmp_path)
    assert len(before) == 16
    score()
    assert lines_of(tmp_path) == before


def test_a_new_result_is_appended_and_counts(small_task, exp_dir, score, tmp_path):
    score()
    path = exp_dir / "dsnet/seed_1/fold_A/test/posteriors.tsv"
    header, *rows = path.read_text().splitlines()
    rows = [row.split("\t")[0] + "\t0.0\t0.0\t0.0\t1.0" for row in rows]
    path.write_text("\n".join([header, *rows]) + "\n")
    results, _ = score()
    assert len(lines_of(tmp_path)) == 17
    assert (results.systems[1].runs[0].predictions == 3).all()


def test_a_run_that_is_gone_still_counts(small_task, exp_dir, score):
    whole = summarise(score()[0], 0)
    shutil.rmtree(exp_dir / "dsnet")
    shutil.rmtree(exp_dir / "base_matched" / "seed_2" / "fold_B")
    results, stale = score()
    assert summarise(results, 0) == whole and not stale
    assert results.systems[1].runs[0].folder is None


def test_ledgers_of_two_machines_are_put_together_in_any_order(exp_dir, score, tmp_path):
    score()
    lines = lines_of(tmp_path)
    newer = json.loads(lines[0]) | {"date": "2999-01-01T00:00:00+00:00", "posteriors": "other"}
    newer["predictions"] = "3" * len(newer["predictions"])
    shutil.rmtree(exp_dir / "base_matched")
    for text in ([*lines, json.dumps(newer)], [json.dumps(newer), *lines, *lines]):
        (tmp_path / "ledger.jsonl").write_text("\n".join(text) + "\n")
        results, _ = score()
        assert (results.systems[0].runs[0].predictions == 3).all()
        assert len(results.systems[0].runs) == 8


CONFIG = "kind: base\n"


def test_a_changed_config_makes_results_stale(exp_dir, score, tmp_path):
    conf = tmp_path / "recipe" / "conf"
    conf.mkdir(parents=True)
    (conf / "dsnet.yaml").write_text(CONFIG)
    digest = config_digest(load(conf / "dsnet.yaml", SystemConfig))
    assert current_digest("dsnet", tmp_path / "recipe") == digest
    assert current_digest("dsnet-neutral1", tmp_path / "recipe") == digest
    changed = current_digest("dsnet@train.learning_rate=1e-3-neutral1", tmp_path / "recipe")
    assert changed == current_digest("dsnet@train.learning_rate=1e-3", tmp_path / "recipe")
    assert current_digest("ensemble_of_dsnet+svm", tmp_path / "recipe") is None
    results, stale = score()
    assert [system.name for system in results.systems] == ["base_matched"]
    assert len(stale) == 8 and stale[0].system == "dsnet"
    assert stale[0].changed == f"its config (digest-of-dsnet, now {digest})"

    for path in (exp_dir / "dsnet").glob("*/*/train.json"):
        edit(path, config_digest=digest)
    results, stale = score()
    assert [system.name for system in results.systems] == ["base_matched", "dsnet"]
    assert not stale


def test_an_edited_task_makes_results_stale(small_task, exp_dir, score):
    score()
    shutil.rmtree(exp_dir / "dsnet")
    path = small_task.task_dir / "spk2neutral"
    path.write_text(path.read_text().replace("A_neutral_0 A_neutral_1", "A_neutral_1 A_neutral_0"))
    task = type(small_task).load(small_task.task_dir)
    assert task.digest != small_task.digest
    for train in exp_dir.glob("*/*/*/train.json"):
        edit(train, task_digest=task.digest)
    results, stale = score(task)
    assert [system.name for system in results.systems] == ["base_matched"]
    assert {(one.system, one.changed) for one in stale} == {
        ("dsnet", "folds, labels or references")
    }


def test_a_combination_is_stale_when_a_member_is_scored_anew(small_task, exp_dir, score, tmp_path):
    score()
    member = next(line for line in map(json.loads, lines_of(tmp_path)) if line["fold"] == "A")
    ensemble = exp_dir / "base_matched+dsnet" / "seed_1" / "fold_A"
    shutil.copytree(exp_dir / "dsnet" / "seed_1" / "fold_A", ensemble)
    made_from = {"base_matched/seed_1/fold_A": member["posteriors"]}
    edit(ensemble / "train.json", config_digest="x", made_from=made_from)
    results, stale = score()
    assert "base_matched+dsnet" in [system.name for system in results.systems] and not stale
    path = exp_dir / "base_matched/seed_1/fold_A/dev/posteriors.tsv"
    header, first, *rest = path.read_text().splitlines()
    path.write_text("\n".join([header, *rest, first]) + "\n")
    results, stale = score()
    assert [one.system for one in stale] == ["base_matched+dsnet"]
    assert "base_matched/seed_1/fold_A, from which it was made" in stale[0].changed


def test_results_of_two_configs_are_not_mixed(exp_dir, score):
    score()
    for fold in "BCD":
        shutil.rmtree(exp_dir / "dsnet" / "seed_1" / f"fold_{fold}")
    shutil.rmtree(exp_dir / "dsnet" / "seed_2")
    edit(exp_dir / "dsnet/seed_1/fold_A/train.json", config_digest="another")
    with pytest.raises(ScoringError, match="results of dsnet come from 2 different configs"):
        score()


def test_missing_folds_are_named(exp_dir, score):
    shutil.rmtree(exp_dir / "dsnet" / "seed_2" / "fold_C")
    results, _ = score()
    assert results.systems[1].missing == [(2, "C")]


def test_nothing_at_all_says_what_to_run(small_task, tmp_path):
    read = read_results(tmp_path / "nowhere", small_task)
    with pytest.raises(ScoringError, match="no result counts .there is none.*run stages 3 and 4"):
        select([], read, tmp_path / "nowhere", tmp_path)


@pytest.mark.parametrize(
    "text, message",
    [
        ('{"system": "x"', "ledger.jsonl:17: not valid JSON"),
        ('{"system": "x"}', "ledger.jsonl:17: expected an object with .* no 'seed' in it"),
        ("[1]", "ledger.jsonl:17: expected an object"),
    ],
)
def test_a_broken_line_is_named(score, tmp_path, text, message):
    score()
    with (tmp_path / "ledger.jsonl").open("a") as stream:
        stream.write(text + "\n")
    with pytest.raises(ScoringError, match=message + ".*delete the line"):
        score()


def test_validation_posteriors_must_be_there(exp_dir, score, tmp_path):
    (exp_dir / "dsnet/seed_1/fold_A/dev/posteriors.tsv").unlink()
    with pytest.raises(ScoringError, match="dev/posteriors.tsv: no such file; rerun stage 4"):
        score()
    assert not (tmp_path / "ledger.jsonl").exists()


def test_a_variant_of_the_task_joins_under_the_name_of_what_it_changes(
    small_task, make_exp, fake_system, exp_dir, tmp_path
):
    """Scored under a task with other references, its runs stand beside those of this task."""
    other = dataclasses.replace(small_task, digest="with one reference")
    exp_dir = exp_dir.rename(tmp_path / "exp" / "task")
    exp = make_exp(other, {"dsnet": fake_system("dsnet", 1.0)}, seeds=1)
    folder = tmp_path / "task@references.count=1"
    folder.mkdir()
    ledger.update(folder / ledger.NAME, read_results(exp, other))
    read = read_results(exp_dir, small_task)
    lines = ledger.update(tmp_path / "ledger.jsonl", read) + ledger.adopt(folder, read)
    results, stale = select(lines, read, exp_dir, tmp_path / "recipe")
    names = [system.name for system in results.systems]
    assert not stale and names == ["base_matched", "dsnet", "dsnet (references.count=1)"]
    expected = read_results(exp, other)
    found = results.confusions(results.systems[2])
    assert np.array_equal(found, expected.confusions(expected.systems[0]))
    assert len(lines_of(tmp_path)) == 16  # the variant stays in its own ledger

    text = (folder / ledger.NAME).read_text()
    (folder / ledger.NAME).write_text(text.replace(read.utterances_digest, "others"))
    with pytest.raises(ScoringError, match="count=1/ledger.jsonl: scored on other utterances"):
        ledger.adopt(folder, read)
