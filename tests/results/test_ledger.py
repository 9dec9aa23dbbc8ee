"""The ledger: what a line keeps, when one is appended, which lines count and why not."""

import json
import shutil

import numpy as np
import pytest

from dsnet.errors import ScoringError
from dsnet.report.summary import summarise
from dsnet.systems.catalog import resolve


@pytest.fixture
def exp_dir(small_task, make_exp, fake_system):
    given = {"side_information": "1 neutral utterance", "given": ["A_neutral_0"]}
    systems = {"base": fake_system(), "dsnet": fake_system("dsnet", 3.0, "base", info=given)}
    return make_exp(small_task, systems)


@pytest.fixture
def score(small_task, exp_dir, score_runs):
    return lambda: score_runs(small_task)


def lines_of(tmp_path):
    return (tmp_path / "ledger.jsonl").read_text().splitlines()


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_line_by_hand(tiny_task, tmp_path, fake_system, make_exp, score_runs):
    """Speaker A says a neutral and a sad utterance; both are taken for sad."""
    exp_dir = make_exp(tiny_task, {"base": fake_system()}, seeds=1)
    header = "utt_id\tneutral\tsad\n"
    table = header + "A_sad_0\t0.2\t0.8\nA_neutral_0\t0.3\t0.7\n"
    (exp_dir / "base/seed_1/fold_A/test/posteriors.tsv").write_text(table)
    score_runs(tiny_task)
    lines = map(json.loads, lines_of(tmp_path))
    line = next(line for line in lines if line["run"]["fold"] == "A")
    assert (line["run"]["system"], line["run"]["seed"]) == ("base", 1)
    assert line["predictions"] == "11"
    assert line["uar"] == 0.5
    assert sum(line["calibration"]["raw"]["hits"]) == 1
    assert line["calibration"]["raw"]["brier"] == pytest.approx(2 * 0.2**2 + 2 * 0.7**2)


def test_calibration_and_uar_of_a_line_leave_out_what_was_given(
    tiny_task, tmp_path, fake_system, make_exp, score_runs
):
    system = fake_system(info={"given": ["A_neutral_0"]})
    exp_dir = make_exp(tiny_task, {"base": system}, seeds=1)
    table = "utt_id\tneutral\tsad\nA_sad_0\t0.2\t0.8\nA_neutral_0\t0.3\t0.7\n"
    (exp_dir / "base/seed_1/fold_A/test/posteriors.tsv").write_text(table)
    score_runs(tiny_task)
    lines = map(json.loads, lines_of(tmp_path))
    line = next(line for line in lines if line["run"]["fold"] == "A")
    assert line["uar"] == 1
    assert line["calibration"]["raw"]["brier"] == pytest.approx(2 * 0.2**2)
    assert line["predictions"] == "11"  # it stays known what was recognised


def test_nothing_is_appended_twice(score, tmp_path):
    score()
    before = lines_of(tmp_path)
    assert len(before) == 16
    score()
    assert lines_of(tmp_path) == before


def test_a_new_result_is_appended_and_counts(exp_dir, score, tmp_path):
    score()
    path = exp_dir / "dsnet/seed_1/fold_A/test/posteriors.tsv"
    header, *rows = path.read_text().splitlines()
    rows = [row.split("\t")[0] + "\t0.0\t0.0\t0.0\t1.0" for row in rows]
    path.write_text("\n".join([header, *rows]) + "\n")
    results, _ = score()
    assert len(lines_of(tmp_path)) == 17
    assert (results.systems[1].runs[0].predictions == 3).all()


def test_a_run_that_is_gone_still_counts(exp_dir, score):
    whole = summarise(score()[0], 0)
    shutil.rmtree(exp_dir / "dsnet")
    shutil.rmtree(exp_dir / "base" / "seed_2" / "fold_B")
    results, stale = score()
    assert summarise(results, 0) == whole and not stale
    assert results.systems[1].runs[0].folder is None


def test_ledgers_of_two_machines_are_put_together_in_any_order(exp_dir, score, tmp_path):
    score()
    lines = lines_of(tmp_path)
    newer = json.loads(lines[0]) | {"date": "2999-01-01T00:00:00+00:00", "posteriors": "other"}
    newer["predictions"] = "3" * len(newer["predictions"])
    shutil.rmtree(exp_dir / "base")
    for text in ([*lines, json.dumps(newer)], [json.dumps(newer), *lines, *lines]):
        (tmp_path / "ledger.jsonl").write_text("\n".join(text) + "\n")
        results, _ = score()
        assert (results.systems[0].runs[0].predictions == 3).all()
        assert len(results.systems[0].runs) == 8


def test_a_changed_config_makes_results_stale(recipe, score):
    then = resolve("dsnet", recipe.folder).digest
    path = recipe.folder / "conf" / "systems" / "dsnet.yaml"
    path.write_text("kind: dsnet\ncontrol: base\nlosses: {similarity: 2}\n")
    results, stale = score()
    assert [row.name for row in results.systems] == ["base"]
    assert len(stale) == 8 and stale[0].row == "dsnet"
    now = resolve("dsnet", recipe.folder).digest
    assert stale[0].changed == f"its config ({then}, now {now})"


def test_what_a_system_is_compared_with_does_not_make_it_stale(recipe, score):
    score()
    path = recipe.folder / "conf" / "systems" / "dsnet.yaml"
    path.write_text("kind: dsnet\n")
    results, stale = score()
    assert not stale
    assert [row.info["control"] for row in results.systems] == [None, None]


def test_a_config_that_is_gone_makes_results_stale(recipe, score):
    (recipe.folder / "conf" / "systems" / "dsnet.yaml").unlink()
    assert "its config, which egs/x has no more" in score()[1][0].changed


@pytest.mark.parametrize(
    "digest, words",
    [
        ("features", "the features 'fbank' of x (another, now present)"),
        ("code", "the code that trains it (another, now "),
        ("task", "folds, labels or references of 4class of x (another, now "),
    ],
)
def test_other_features_code_or_folds_make_results_stale(
    small_task, exp_dir, score_runs, monkeypatch, digest, words
):
    """False digests count nowhere; the page says which and why."""
    monkeypatch.setattr("dsnet.results.staleness.Present._features", lambda *_: "present")
    for path in exp_dir.glob("*/*/*/run.json"):
        about = json.loads(path.read_text())
        about["digests"]["features"] = "present"
        if "dsnet" in str(path):
            about["digests"][digest] = "another"
        path.write_text(json.dumps(about))
    results, stale = score_runs(small_task)
    assert [row.name for row in results.systems] == ["base"]
    assert len(stale) == 8 and stale[0].changed.startswith(words)


def test_what_was_made_with_other_features_than_the_latest_of_its_row_does_not_count(
    exp_dir, score, tmp_path
):
    """Where the features are not here, so that nothing says which are those of now."""
    score()
    lines = [json.loads(line) for line in lines_of(tmp_path)]
    shutil.rmtree(exp_dir)
    for line in lines:
        if (line["run"]["system"], line["run"]["fold"]) == ("dsnet", "A"):
            line["date"] = "2999-01-01T00:00:00+00:00"
            line["run"]["digests"]["features"] = "newer"
    (tmp_path / "ledger.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    results, stale = score()
    assert [(row.name, len(row.runs)) for row in results.systems] == [("base", 8), ("dsnet", 2)]
    assert {one.row for one in stale} == {"dsnet"} and len(stale) == 6
    assert stale[0].changed.startswith("its features (")
    assert ", newer of the latest of its row)" in stale[0].changed


def test_an_edited_task_makes_results_stale(small_task, exp_dir, score_runs):
    score_runs(small_task)
    shutil.rmtree(exp_dir / "dsnet")
    path = small_task.task_dir / "spk2neutral"
    path.write_text(path.read_text().replace("A_neutral_0 A_neutral_1", "A_neutral_1 A_neutral_0"))
    task = type(small_task).load(small_task.task_dir)
    assert task.digest != small_task.digest
    for path in exp_dir.glob("*/*/*/run.json"):
        edit(path, digests=json.loads(path.read_text())["digests"] | {"task": task.digest})
    results, stale = score_runs(task)
    assert [row.name for row in results.systems] == ["base"]
    assert {one.row for one in stale} == {"dsnet"}
    assert stale[0].changed.startswith("folds, labels or references of 4class of x")


def test_an_ensemble_is_stale_when_a_member_is_scored_anew(exp_dir, score, tmp_path):
    score()
    lines = [json.loads(line) for line in lines_of(tmp_path)]
    members = [
        {"system": name, "seed": 1, "digest": line["posteriors"]}
        for name in ("base", "dsnet")
        for line in lines
        if (line["run"]["system"], line["run"]["seed"], line["run"]["fold"]) == (name, 1, "A")
    ]
    ensemble = exp_dir / "base+dsnet" / "seed_1" / "fold_A"
    shutil.copytree(exp_dir / "dsnet" / "seed_1" / "fold_A", ensemble)
    about = json.loads((ensemble / "run.json").read_text())
    digests = about["digests"] | {"config": resolve("base+dsnet", exp_dir.parents[1]).digest}
    identity = {"system": "base+dsnet", "kind": "ensemble", "members": members}
    edit(ensemble / "run.json", **identity, digests=digests)
    results, stale = score()
    assert "base+dsnet" in [row.name for row in results.systems] and not stale
    path = exp_dir / "base/seed_1/fold_A/dev/posteriors.tsv"
    header, first, *rest = path.read_text().splitlines()
    path.write_text("\n".join([header, *rest, first]) + "\n")
    results, stale = score()
    assert [one.row for one in stale] == ["base+dsnet"]
    assert stale[0].changed == "base, seed 1, of which it was made,"


def test_missing_folds_are_named(exp_dir, score):
    shutil.rmtree(exp_dir / "dsnet" / "seed_2" / "fold_C")
    results, _ = score()
    assert results.systems[1].missing == [(2, "C")]


def test_nothing_at_all_says_what_to_run(small_task, score_runs):
    with pytest.raises(ScoringError, match="no result counts .there is none.*run stages 3 and 4"):
        score_runs(small_task)


@pytest.mark.parametrize(
    "text, message",
    [
        ('{"date": "x"', "ledger.jsonl:17: not valid JSON"),
        ('{"date": "x"}', "ledger.jsonl:17: expected an object with .* no 'run' in it"),
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


def test_rows_are_what_differs_from_the_system_itself(
    recipe, small_task, make_exp, fake_system, exp_dir, score_runs
):
    """Another enrolment, another task: rows of their own, named by what differs."""
    variant = recipe.task("4class@references.count=1")
    shutil.copytree(small_task.task_dir, variant)
    task = type(small_task).load(variant)
    make_exp(task, {"dsnet": fake_system("dsnet", info={"task_changes": {"a": "1"}})}, seeds=1)
    for fold in small_task.fold_names:
        own = exp_dir / "dsnet" / "seed_1" / f"fold_{fold}"
        shutil.copytree(own, own / "enrolment_neutral_1")
        enrolment = {"source": "neutral", "count": 1}
        edit(own / "enrolment_neutral_1" / "run.json", enrolment=enrolment, own_enrolment=False)
    results, stale = score_runs(small_task, variant.name)
    names = [row.name for row in results.systems]
    assert not stale
    assert names == [
        "base", "dsnet", "dsnet (enrolment neutral:1)", "dsnet (references.count=1)",
    ]  # fmt: skip
    own, other = results.systems[1:3]
    assert np.array_equal(other.runs[0].predictions, own.runs[0].predictions)
    assert len(other.runs) == 4 and not other.missing


def test_lines_of_another_task_are_not_of_this_page(small_task, exp_dir, score, tmp_path):
    """One results folder for two tasks: their lines stand in one ledger, each page has its own."""
    before = summarise(score()[0], 0)
    lines = [json.loads(line) for line in lines_of(tmp_path)]
    others = []
    for line in lines:
        run = line["run"] | {"task": "4class_groups", "fold": f"group{line['run']['fold']}"}
        others.append(line | {"run": run, "utterances": "others"})
    text = "".join(json.dumps(line) + "\n" for line in [*lines, *others])
    (tmp_path / "ledger.jsonl").write_text(text)
    results, stale = score()
    assert summarise(results, 0) == before and not stale


def test_other_folds_of_the_same_utterances_make_results_stale(score, tmp_path):
    """A line of fold A that was scored on other utterances than fold A has now."""
    score()
    lines = [json.loads(line) for line in lines_of(tmp_path)]
    lines[0]["utterances"] = lines[1]["utterances"]
    lines[0]["date"] = "2999-01-01T00:00:00+00:00"
    (tmp_path / "ledger.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines[:1]))
    results, stale = score()
    assert not stale and len(lines_of(tmp_path)) == 17  # the file is here, and is scored anew
    assert lines[0]["utterances"] != json.loads(lines_of(tmp_path)[1])["utterances"]


def test_a_run_of_a_recipe_that_was_renamed_is_named(exp_dir, score):
    edit(exp_dir / "base/seed_1/fold_A/run.json", trained_on="y", tested_on="y")
    with pytest.raises(ScoringError, match="trained_on is 'y', but this page is of x; was the"):
        score()


def test_a_run_of_a_fold_that_the_task_lacks_is_named(exp_dir, score):
    edit(exp_dir / "base/seed_1/fold_A/run.json", fold="Z")
    with pytest.raises(ScoringError, match="fold Z, but the task has A, B, C, D"):
        score()


def test_what_a_run_is_said_to_be_given_is_part_of_the_result(exp_dir, score, tmp_path):
    score()
    edit(exp_dir / "dsnet/seed_1/fold_A/run.json", given=["A_neutral_0", "A_neutral_1"])
    results, _ = score()
    assert len(lines_of(tmp_path)) == 17
    assert results.systems[1].runs[0].given == {"A_neutral_0", "A_neutral_1"}


def test_a_run_of_which_nothing_is_left_to_score_stands_without_figures(
    tiny_task, make_exp, fake_system, score_runs
):
    given = {"given": list(tiny_task.utt2emo), "side_information": "everything"}
    make_exp(tiny_task, {"base": fake_system(), "all": fake_system(info=given)}, seeds=1)
    summary = summarise(score_runs(tiny_task)[0], 0)
    scores = summary["systems"]["all"]["headline"]
    assert scores["num_utterances"] == 0 and scores["uar"]["estimate"] is None
    assert list(summary["calibration"]) == ["base"]
