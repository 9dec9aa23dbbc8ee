"""What index.html says, and when it says more."""

import json
import re
import shutil
import sys
from copy import deepcopy
from pathlib import Path

import pytest

from dsnet.report.config_changes import config_changes
from dsnet.report.figures.plotting import Figure
from dsnet.report.page import Extras, page_html
from dsnet.report.provenance import Provenance
from dsnet.report.sections import stale_md, tried_md
from dsnet.report.summary import summarise
from dsnet.results.staleness import Stale

sys.path.append(str(Path(__file__).parent))
from reading import Reader

PROVENANCE = Provenance("bash egs/x/run.sh", "abc-dirty", {"torch": "2.11.0"}, "2026-01-02", 4)
SVG = '<?xml version="1.0"?>\n<svg width="9pt" height="9pt" viewBox="0 0 9 9"><path/></svg>'


@pytest.fixture
def figures(tmp_path):
    """Return a figure of every topic, drawn by hand."""
    found = []
    for topic in ("systems", "speakers", "classes", "calibration", "embeddings", "learning"):
        (tmp_path / f"{topic}.svg").write_text(SVG)
        found.append(Figure(f"{topic}.svg", f"Figure of {topic}", f"How {topic} is read.", topic))
    return found


@pytest.fixture
def read(figures, tmp_path):
    """Return a function that makes a page of a summary and reads it."""

    def make(summary, **extras):
        nothing = {"config_changes": {}, "listening": None, "stale": [], "tried": []}
        facts = {"title": "x, 4class", "probes": {}, "num_stale": 0}
        extras = Extras(**(nothing | extras))
        return Reader(page_html(facts | summary, PROVENANCE, figures, tmp_path, extras))

    return make


@pytest.fixture
def exp_dir(small_task, make_exp, fake_system):
    given = {
        "side_information": "3 neutral utterances of the speaker",
        "enrolment": {"source": "neutral", "count": 3},
        "given": ["A_neutral_0", "A_neutral_1"],
    }
    lean = dict.fromkeys(("selected_epoch", "epochs", "seconds", "seconds_per_epoch", "machine"))
    svm = lean | {"num_parameters": None, "selection": "cross-validation over training speakers"}
    systems = {
        "base_matched": fake_system(skill=1.0),
        "dsnet": fake_system(
            "dsnet", 3.0, "base_matched", num_parameters=432_100, last_epoch=False
        ),
        "enrolled": fake_system("dsnet", 3.0, "base_matched", info=given),
        "dsnet@losses.similarity=3": fake_system("dsnet", 3.0, "base_matched"),
        "compare_svm": fake_system("svm", training=svm),
    }
    return make_exp(small_task, systems)


@pytest.fixture
def summary(small_task, exp_dir, score_runs):
    return summarise(score_runs(small_task)[0], 0)


def test_every_part_is_there_and_even(summary, read):
    page = read(summary)
    assert page.sections == [
        "systems", "differences", "ablation", "speakers", "classes", "calibration", "embeddings",
        "learning", "method",
    ]  # fmt: skip
    for table in page.tables:
        if table[0][0] != "given":
            assert len({len(row) for row in table if len(row) > 1}) == 1, table[0]
    assert " None" not in page.text and "nan" not in page.text.split()
    for topic in page.sections[3:-1]:
        assert f"Figure of {topic} How {topic} is read." in page.text
    row = page.row("system", "ECE", name="dsnet")
    assert re.fullmatch(r"\d\.\d\d to \d\.\d\d", row["temperature"])


def test_says_protocol_selection_and_origin(summary, read):
    text = read(summary).text
    assert "the next speaker in sorted order validates" in text
    assert "guessing has a UAR of 25.0 %" in text
    assert "speakers for test, validation and training: 1, 1, 2" in text
    assert re.search(r"networks after the epoch with the best validation UAR \(.* of 5\)", text)
    assert "networks after their last epoch (5)" in text
    assert "linear systems with what cross-validation over their training speakers chose" in text
    assert "bash egs/x/run.sh" in text and "abc-dirty" in text and "torch 2.11.0" in text
    assert "Not complete" not in text and "Trained on: CPU of 2 cores." in text


def test_what_is_tested_of_networks_that_train_longer_is_said_once(summary, read):
    changed = deepcopy(summary)
    facts = next(f for f in changed["systems"].values() if f["selection"] == "best")
    facts |= {"selection": "last", "epochs": [9]}
    text = read(changed).text
    assert "networks after their last epoch (5 to 9). " in text
    assert text.count("What is tested: ") == 1


def test_a_variant_stands_below_its_system(summary, read):
    names = [row[0] for row in system_table(read(summary)) if len(row) == 7][1:]
    place = next(n for n, cell in enumerate(names) if cell.startswith("dsnet "))
    assert "1 variant" in names[place]
    assert names[place + 1].startswith("dsnet@losses.similarity=3")
    # what is given alike stands together: the enrolled one behind all that hear nothing
    assert "3 neutral utterances of the speaker" in names[-1]


def test_its_own_enrolment_stands_above_others_if_all_rows_are_of_a_changed_system(summary, read):
    changed = deepcopy(summary)
    pair = [name for name in changed["systems"] if name.split("@")[0] == "dsnet"]
    assert len(pair) == 2
    for own in pair:
        for name in pair:
            changed["systems"][name] |= {"primary": False, "own_enrolment": name == own}
        names = [row[0] for row in system_table(read(changed)) if len(row) == 7][1:]
        shown = [cell.split()[0] for cell in names]
        assert next(name for name in shown if name in pair) == own


def system_table(page):
    return next(table for table in page.tables if table[0][1].startswith("UAR [95 %], from"))


def test_what_a_system_was_given_is_shown_and_not_scored(small_task, summary, read):
    total = len(small_task.utt2emo)
    page = read(summary)
    assert (
        f"given 3 neutral utterances of the speaker scored on {total - 2} of {total}" in page.text
    )
    assert f"given nothing but the utterance scored on {total} of {total} utterances" in page.text
    assert f"every system: 12 of {total} of x" in page.text
    pair = page.row("system", "control", name="enrolled")
    assert pair["scored on"] == f"{total - 2} of {total}"


def test_differences_have_both_p_values(summary, read):
    page = read(summary)
    row = page.row("system", "control", name="dsnet")
    pairs = {pair["system"]: pair for pair in summary["differences"]["pairs"]}
    pair = pairs["dsnet"]
    assert row["control"] == "base_matched" and row["exchanged"] == "4 folds"
    assert row["p (uncorrected)"] == f"{pair['p_value']:.3f}"
    assert row["p (Holm)"] == f"{pair['adjusted_p']:.3f}"
    # four folds: 2 of 16 sign patterns at least, so nothing can be significant
    assert pair["p_value"] >= pair["smallest_p"] == 2 / 16
    assert pair["p_value"] <= pair["adjusted_p"] <= 1
    assert "Significance is impossible here : 2 comparisons" in page.text
    assert "Exploratory" in page.text and pairs["dsnet@losses.similarity=3"]["p_value"] is None


def test_with_enough_folds_nothing_is_impossible(summary, read):
    summary["differences"] |= {"smallest_p": 2 / 1024, "smallest_adjusted_p": 4 / 1024}
    assert "impossible" not in read(summary).text


def test_what_a_system_lacks_is_a_dash(summary, read):
    assert read(summary).row("system", "kind", name="compare_svm") == {
        "system": "compare_svm", "kind": "svm", "features": "fbank",
        "parameters in training": "–", "s/epoch": "–", "min/run": "–", "peak memory": "1.0 GiB",
    }  # fmt: skip


def test_missing_runs_are_shown(small_task, exp_dir, score_runs, read):
    for fold in "BCD":
        shutil.rmtree(exp_dir / "compare_svm" / "seed_1" / f"fold_{fold}")
    shutil.rmtree(exp_dir / "compare_svm" / "seed_2")
    shutil.rmtree(exp_dir / "dsnet" / "seed_2" / "fold_C")
    shutil.rmtree(exp_dir / "base_matched" / "seed_2")
    page = read(summarise(score_runs(small_task)[0], 0))
    assert "Not complete : dsnet, seed 2: 3 of 4 folds; not there: C" in page.text
    runs = {row[0].split()[0]: row[-1] for row in system_table(page) if len(row) == 7}
    assert runs["base_matched"] == "1 × 4"
    assert runs["dsnet"] == "7 of 8 runs"
    assert runs["compare_svm"] == "1 of 4 folds"
    assert "needs five tested speakers" in page.text


def test_a_row_opens_to_its_recalls_and_confusions(summary, read):
    page = read(summary)
    scores = summary["systems"]["dsnet"]["headline"]
    heats = [table for table in page.tables if table[0][0] == "" and table[0][-1] == "n"]
    counts = [scores["class_counts"][name] for name in summary["classes"]]
    assert len(heats) == len(summary["systems"])
    diagonal = [f"{100 * scores['class_recalls'][name]:.0f}" for name in summary["classes"]]
    assert any(
        [row[place + 1] for place, row in enumerate(heat[1:])] == diagonal
        and [row[-1] for row in heat[1:]] == [str(n) for n in counts]
        for heat in heats
    )


def test_config_changes_are_those_of_the_config_files(small_task, exp_dir, score_runs, read):
    folder = Path(str(exp_dir)).parents[1] / "conf" / "systems"
    results, _ = score_runs(small_task)
    changes = config_changes(results, {"x": type("R", (), {"folder": folder.parents[1]})})
    assert changes["dsnet"] == ["kind base -> dsnet"]
    assert changes["dsnet@losses.similarity=3"][0] == "kind base -> dsnet"
    assert any(c.startswith("losses.similarity ") for c in changes["dsnet@losses.similarity=3"])
    assert "base_matched" not in changes
    page = read(summarise(results, 0), config_changes=changes)
    assert "against its control base_matched kind base -> dsnet" in page.text


def test_a_class_of_references_alone_is_named(small_task, exp_dir, score_runs, read):
    neutral = [utt for utt, emotion in small_task.utt2emo.items() if emotion == "neutral"]
    lines = [f"{s} {' '.join(u for u in neutral if u[0] == s)}\n" for s in "ABCD"]
    (small_task.task_dir / "spk2neutral").write_text("".join(lines))
    task = type(small_task).load(small_task.task_dir)
    for path in exp_dir.glob("*/*/*/run.json"):
        about = json.loads(path.read_text())
        about["digests"]["task"] = task.digest
        path.write_text(json.dumps(about))
    assert "No neutral of x remains" in read(summarise(score_runs(task)[0], 0)).text


def test_speakers_without_neutral_utterance_are_named(summary, read):
    references = summary["test_sets"]["x"]["references"]
    assert "no neutral utterance" not in read(summary).text
    references["fallback_speakers"] = ["A"]
    assert "1 speakers of x have no neutral utterance" in read(summary).text


def test_without_a_control_there_is_no_difference(small_task, exp_dir, score_runs, read):
    shutil.rmtree(exp_dir / "base_matched")
    page = read(summarise(score_runs(small_task)[0], 0))
    assert "differences" not in page.sections and "paper’s idea" not in page.text


def test_a_paired_validation_speaker_is_pointed_out(summary, read):
    summary["test_sets"]["x"]["protocol"]["validation"] = "paired_speaker"
    assert "shares session, room and dialogue" in read(summary).text


def test_stale_results_are_listed_with_what_to_do(summary, read):
    stale = [Stale("dsnet", 1, fold, "its config (a, now b)") for fold in "AB"]
    text = read(summary, stale=stale_md(stale)).text
    assert "Stale results" in text
    assert "dsnet, seed 1, folds A, B: its config (a, now b) changed; rerun" in text
    assert stale_md([]) == []


def test_names_are_text_and_no_markup(summary, read):
    summary["title"] = "<script>alert(1)</script> & co"
    assert "<script>alert(1)</script> & co" in read(summary).text


def test_what_was_tried_is_taken_from_the_readme(tmp_path, summary, read):
    readme = tmp_path / "README.md"
    assert tried_md(readme) == []
    readme.write_text("# A corpus\n\n## Licence\n\nNone.\n")
    assert tried_md(readme) == []
    readme.write_text(
        "# A corpus\n\n## What was tried\n\n- More.\n- Less.\n\n## Licence\n\nNone.\n"
    )
    assert tried_md(readme) == ["## What was tried\n\n- More.\n- Less."]
    assert "What was tried More. Less." in read(summary, tried=tried_md(readme)).text
