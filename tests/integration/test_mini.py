"""egs/mini from the first to the last stage: results, resumption after SIGKILL, what is redone."""

import io
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from small_recipe import outcome

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(make_recipe, tmp_path_factory):
    """A run that nobody disturbed."""
    recipe = make_recipe(tmp_path_factory.mktemp("whole") / "a project")
    return recipe, recipe.run()


@pytest.fixture
def copied(finished, make_recipe, tmp_path):
    """A copy of that run, to be changed; nothing in it knows where it lay."""
    shutil.copytree(finished[0].top, tmp_path / "moved project")
    return make_recipe(tmp_path / "moved project")


def test_the_run_ends_with_a_table_and_figures(finished):
    recipe, done = finished
    assert re.search(r"^tiny +– +\d+\.\d \[", done.stdout, re.MULTILINE)
    results = recipe.folder / "exp" / "results" / "4class"
    text = (results / "RESULTS.md").read_text()
    assert "bash " in text and "--systems tiny" in text
    for figure in re.findall(r"\]\((figures/[^)]+)\)", text):
        assert "<svg" in (results / figure).read_text()


def test_features_load_with_lhotse_alone(finished):
    recipe, _ = finished
    code = (
        "from lhotse import CutSet, validate\n"
        "cuts = CutSet.from_file('data/fbank/cuts.jsonl.gz').subset(first=3)\n"
        "validate(cuts, read_data=False)\n"
        "print(*cuts[0].load_features().shape, cuts[0].num_frames)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], cwd=recipe.folder, capture_output=True, text=True
    )
    frames, bins, declared = map(int, done.stdout.split())
    assert frames == declared and bins == 80


def test_embeddings_go_with_the_posteriors(finished):
    recipe, _ = finished
    fold = recipe.folder / "exp/4class/tiny/seed_1/fold_f1/test"
    stored = np.load(fold / "embeddings.npz")
    lines = (fold / "posteriors.tsv").read_text().splitlines()
    assert stored["utt_ids"].tolist() == [line.split("\t")[0] for line in lines[1:]]
    assert stored["h"].shape == stored["s"].shape == stored["e"].shape == (len(lines) - 1, 16)


def test_a_second_run_does_nothing(finished):
    recipe, _ = finished
    again = recipe.run()
    assert "done in" not in again.stdout and again.stdout.count("already done") == 10


def test_a_run_killed_in_every_stage_ends_with_the_same_bits(finished, true_recipe):
    recipe = true_recipe
    recipe.kill_when("data/corpus/**/*.wav")
    recipe.kill_when("data/manifests/.tmp-*", ".done/0-corpus.json")
    recipe.kill_when("data/fbank/fbank.2.ark")
    recipe.kill_when("data/4class/.tmp-*", ".done/1-fbank.json")
    recipe.kill_when("exp/4class/tiny/seed_1/fold_f1/checkpoint.pt")
    recipe.kill_when("exp/4class/tiny/seed_1/fold_m1/train.json")
    recipe.kill_when("exp/4class/tiny/seed_1/fold_f1/dev/posteriors.tsv")
    recipe.kill_when("exp/results/4class/figures/*.svg")
    recipe.run()
    assert outcome(recipe) == outcome(finished[0])


def test_a_change_reruns_what_depends_on_it_and_nothing_else(copied):
    recipe = copied
    conf = recipe.folder / "conf"

    def rerun(*options):
        done = recipe.run(*options)
        return re.findall(r"^  (\S+): done in", done.stdout, re.MULTILINE)

    tiny = conf / "systems" / "tiny.yaml"
    tiny.write_text(tiny.read_text().replace("max_epochs: 3", "max_epochs: 2"))
    train, infer, probe = (f"{step}.4class.tiny.1" for step in ("train", "infer", "probe"))
    redone = [train, infer, probe, "score.4class"]
    changed = "tiny changed (train.max_epochs 3 -> 2): stage 3 trains anew, replaces 2 models"
    done = recipe.run()
    assert changed in done.stderr
    assert re.findall(r"^  (\S+): done in", done.stdout, re.MULTILINE) == redone

    task = conf / "4class.yaml"
    task.write_text(task.read_text().replace("count: 3", "count: 2"))
    stale = recipe.run("--stage", "3", check=False)
    assert stale.returncode != 0
    assert "conf/4class.yaml changed" in stale.stderr and "--stage 2" in stale.stderr
    assert rerun() == ["folds.4class", *redone]  # the counts were taken in front of stage 3

    references = recipe.folder / "data/4class/spk2neutral"
    lines = references.read_text().splitlines()
    first = lines[0].split()
    lines[0] = " ".join([first[0], *first[:0:-1]])  # the same references in another order
    references.write_text("\n".join(lines) + "\n")
    assert rerun() == redone

    fbank = recipe.top / "egs" / "conf" / "features" / "fbank.yaml"
    fbank.write_text(fbank.read_text() + "preemphasis: 0.95\n")
    assert rerun() == ["fbank.jobs", "fbank", *redone]


def test_a_comparison_has_a_row_for_each_system_enrolment_and_ensemble(copied):
    """An SVM, a changed key, other enrolments and an ensemble, each a row of the page."""
    copied.write_system("svm", "kind: svm\ncontrol: tiny\nlinear: {c_values: [1e-4, 1e-3]}\n")
    given = "tiny@enrolment.source=any"
    systems = f"tiny svm@features=egemaps {given} tiny+{given}"
    done = copied.run("--systems", systems, "--enrolments", "any:1 all")
    results = copied.folder / "exp" / "results" / "4class"
    lines = [json.loads(line) for line in (results / "ledger.jsonl").read_text().splitlines()]
    assert sorted({line["run"]["system"] for line in lines}) == sorted(systems.split())
    names = [
        "svm@features=egemaps", "tiny", f"tiny+{given}", given,
        f"{given} (enrolment all) (transductive)", f"{given} (enrolment any:1)",
    ]  # fmt: skip
    assert len(lines) == 2 * len(names)
    page = (results / "RESULTS.md").read_text()
    assert all(f"| {name} " in page for name in names)
    assert all(re.search(rf"^{re.escape(n)}  ", done.stdout, re.MULTILINE) for n in names)
    again = copied.run("--stage", "5", "--force", "--systems", f"tiny {given}")
    assert again.returncode == 0
    assert len((results / "ledger.jsonl").read_text().splitlines()) == len(lines)


def test_force_trains_anew(copied):
    """Weights that nobody trained are replaced; without --force they are taken for trained."""
    model = copied.folder / "exp/4class/tiny/seed_1/fold_f1/model.pt"
    trained, when = model.read_bytes(), model.stat().st_mtime_ns
    features = copied.folder / "data/fbank/feats.scp"
    computed = features.stat().st_mtime_ns
    copied.run("--stage", "1", "--force")
    assert model.stat().st_mtime_ns > when and features.stat().st_mtime_ns > computed
    fresh, old = (torch.load(p, weights_only=True)["model"] for p in (model, io.BytesIO(trained)))
    assert all(torch.equal(weight, fresh[name]) for name, weight in old.items())


@pytest.mark.parametrize(
    "options, message",
    [
        (["--systems", "tinyy"], "no system 'tinyy' in .*did you mean 'tiny'"),
        (["--systems", "tiny@trian.max_epochs=3"], "unknown key 'trian'.*did you mean 'train'"),
        (["--systems", "tiny tiny+svn"], "no system 'svn'"),
        (["--systems", "tiny@features=fbnak"], "no features 'fbnak' in .*did you mean 'fbank'"),
        (["--task", "4clas"], "no task '4clas' in .*did you mean '4class'"),
        (["--enrolments", "neutral"], "'neutral': expected neutral:N"),
    ],
)
def test_wrong_names_stop_before_stage_0(recipe, options, message):
    done = recipe.run(*options, check=False)
    assert done.returncode != 0
    assert re.search(message, done.stderr), done.stderr
    assert not (recipe.folder / "data").exists() and "stage 0" not in done.stdout


def test_an_ablation_ends_with_one_page(copied):
    """Loss weights and references, in one table with the system that they are changes of."""
    variant = "tiny@losses.similarity=0"
    text = f"# two changes\n- tiny {variant}\nreferences.count=1 tiny\n"
    (copied.top / "egs" / "conf" / "ablation.txt").write_text(text)
    copied.run("--ablation")
    page = (copied.folder / "exp/results/4class.ablation/RESULTS.md").read_text()
    rows = [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| tiny")]
    assert sorted(rows) == ["tiny", "tiny (references.count=1)", variant]
    again = copied.run("--ablation")
    assert "first run" not in again.stdout


def test_an_empty_folder_says_which_stage_is_missing(recipe):
    done = recipe.run("--stage", "3", check=False)
    assert done.returncode != 0
    assert "stage 0, corpus" in done.stderr
    assert re.search(r"Run first:\n  bash .*run\.sh.* --stage 0", done.stderr)


def test_a_failing_job_shows_its_log_and_how_to_go_on(copied):
    recipe = copied
    tiny = recipe.folder / "conf" / "systems" / "tiny.yaml"
    tiny.write_text(tiny.read_text().replace("stop_after: 0", "learning_rate: 1e30"))
    done = recipe.run(check=False)
    assert done.returncode != 0
    assert "expected finite" in done.stderr and "Lower train.learning_rate" in done.stderr
    assert re.search(r"go on with: bash .*--systems tiny .*--stage 3", done.stderr)
