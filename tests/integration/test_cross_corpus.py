"""egs/cross_corpus on two toy recipes: both directions, what is redone, what is refused."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
NAMES = ("one", "two")
CLASSES = ["angry", "happy", "neutral", "sad"]
SHARED = {
    "classes": CLASSES,
    "recipes": {n: {"task": "4class", "label_map": {c: c for c in CLASSES}} for n in NAMES},
}
TINY = """\
kind: base
input: {mode: variable, max_seconds: 1}
encoder: {kind: compact, channels: [4, 8, 12, 16], dropout: 0.0, embed_dim: 16}
train: {optimizer: adamw, learning_rate: 0.01, batch_size: 4, max_epochs: 6, select: last}
"""
FEWER = {
    'SPEAKERS = ("f1", "f2", "f3", "f4", "m1", "m2", "m3", "m4")': 'SPEAKERS = ("f1", "f2", "m1")',
    "enumerate(SENTENCES)": "enumerate(SENTENCES[:4])",
}  # in make_corpus.py


class Project:
    """A copy of the project with two recipes of three synthetic speakers each."""

    def __init__(self, mini):
        self.egs, self.env = mini.folder.parent, mini.env
        self.cross = self.egs / "cross_corpus"
        self.metrics = self.cross / "exp" / "results" / "shared" / "metrics.json"
        if not self.cross.exists():
            self._make(mini.folder)

    def _make(self, mini: Path) -> None:
        ignore = shutil.ignore_patterns("exp", "data", ".done")
        shutil.copytree(ROOT / "egs" / "cross_corpus", self.cross, ignore=ignore)
        (self.cross / "conf" / "shared.yaml").write_text(yaml.safe_dump(SHARED))
        synthesis = (mini / "local" / "make_corpus.py").read_text()
        for old, new in FEWER.items():
            assert old in synthesis
            synthesis = synthesis.replace(old, new)
        (mini / "conf" / "systems" / "tiny.yaml").write_text(TINY)
        for seed, name in enumerate(NAMES):
            shutil.copytree(mini, self.egs / name)
            (self.egs / name / "local" / "make_corpus.py").write_text(
                synthesis.replace(
                    '"--seed", type=int, default=0', f'"--seed", type=int, default={seed}'
                )
            )

    def run(self, name: str, *options: str, check: bool = True) -> subprocess.CompletedProcess:
        done = subprocess.run(
            ["bash", f"egs/{name}/run.sh", "--systems", "tiny", *options],
            env=self.env,
            cwd=self.egs.parent,
            capture_output=True,
            text=True,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def score(self, train: str, test: str, *options: str, **kwargs) -> subprocess.CompletedProcess:
        pair = ["--train", f"egs/{train}", "--test", f"egs/{test}/"]
        return self.run("cross_corpus", *pair, "--task", "shared", *options, **kwargs)

    def cells(self, title: str = "tiny") -> dict[tuple[str, str], dict]:
        """Return the rows of a matrix by the recipes that they were trained and tested on."""
        metrics = json.loads(self.metrics.read_text())
        matrix = next(matrix for matrix in metrics["matrices"] if matrix["title"] == title)
        rows = metrics["systems"]
        return {(cell["train"], cell["test"]): rows[cell["row"]] for cell in matrix["cells"]}


def redone(done: subprocess.CompletedProcess) -> list[str]:
    return re.findall(r"^  (\S+): done in", done.stdout, re.MULTILINE)


@pytest.fixture(scope="module")
def finished(make_recipe, tmp_path_factory):
    """Both recipes and both directions, run once."""
    project = Project(make_recipe(tmp_path_factory.mktemp("cross") / "a project"))
    for name in NAMES:
        project.run(name)
    before = listing(project)
    project.score("one", "two")
    project.score("two", "one")
    assert listing(project) == before  # nothing is written into another recipe
    return project


def listing(project: Project) -> dict[str, int]:
    paths = [p for name in NAMES for p in (project.egs / name).rglob("*")]
    return {str(p): p.stat().st_mtime_ns for p in paths}


@pytest.fixture
def copied(finished, make_recipe, tmp_path):
    shutil.copytree(finished.egs.parent, tmp_path / "moved project")
    return Project(make_recipe(tmp_path / "moved project"))


def test_the_matrix_has_four_cells(finished):
    cells = finished.cells()
    assert set(cells) == {(a, b) for a in NAMES for b in NAMES}
    assert all(row["num_runs"] == 3 and not row["missing"] for row in cells.values())
    assert {row["headline"]["num_utterances"] for row in cells.values()} == {3 * 4 * 4}
    text = (finished.metrics.parent / "RESULTS.md").read_text()
    assert "--train egs/two --test egs/one --task shared" in text
    assert str(finished.egs.parent) not in text
    for figure in re.findall(r"\]\((figures/[^)]+)\)", text):
        assert "<svg" in (finished.metrics.parent / figure).read_text()


def test_the_diagonal_is_the_recipes_own_result(finished):
    """All classes are shared, so that both score the same answers."""
    for name in NAMES:
        own = json.loads((finished.egs / name / "exp/results/4class/metrics.json").read_text())
        scores = own["systems"]["tiny"]
        assert finished.cells()[name, name]["headline"] == scores["headline"]


def test_a_second_run_does_nothing(finished):
    again = finished.score("two", "one")
    assert redone(again) == [] and again.stdout.count("already done") == 2


def test_a_model_that_was_trained_again_is_scored_again(copied):
    tiny = copied.egs / "one" / "conf" / "systems" / "tiny.yaml"
    tiny.write_text(tiny.read_text().replace("max_epochs: 6", "max_epochs: 5"))
    stale = copied.score("one", "two", check=False)
    assert stale.returncode != 0 and "trained with another config or code" in stale.stderr
    copied.run("one", "--stop-stage", "3")

    assert redone(copied.score("two", "one")) == ["score.shared"]
    assert set(copied.cells()) == {("two", "one"), ("two", "two")}
    text = (copied.metrics.parent / "index.html").read_text()
    assert "tiny, one on two, seed 1, folds f1, f2, m1: its config (" in text
    assert "tiny, one on one, seed 1, folds f1, f2, m1: its config (" in text

    assert redone(copied.score("one", "two")) == ["infer.shared.one_on_two.tiny.1", "score.shared"]
    copied.run("one")
    assert redone(copied.score("one", "two")) == ["score.shared"]
    assert len(copied.cells()) == 4


def test_a_matched_target_does_not_mix_with_the_others(copied):
    before = copied.cells()
    copied.score("one", "two", "--match-target", "corpus")
    assert copied.cells() == before
    cells = copied.cells("tiny (transductive: corpus)")
    assert set(cells) == {("one", "two"), ("one", "one"), ("two", "two")}
    assert cells["one", "one"] == before["one", "one"]
    confusion = cells["one", "two"]["headline"]["confusion"]
    assert confusion != before["one", "two"]["headline"]["confusion"]
    assert "Transductive" in (copied.metrics.parent / "index.html").read_text()


def test_enrolled_systems_and_ensembles_go_the_same_way(copied):
    """What a model was given of the other corpus is said, and not scored."""
    given = "tiny@enrolment.source=neutral"
    systems = ["--systems", f"{given} tiny+{given}"]
    copied.run("one", *systems, "--stop-stage", "4")
    copied.run("two", *systems, "--stop-stage", "2")
    copied.score("one", "two", *systems)
    row = copied.cells(given)["one", "two"]
    assert row["num_given"] == 9 and row["headline"]["num_utterances"] == 48 - 9
    assert copied.cells(f"tiny+{given}")["one", "two"]["headline"]["num_utterances"] == 48 - 9
    text = (copied.metrics.parent / "index.html").read_text()
    assert "Models were given 3 neutral utterances of the speaker" in text


def test_the_same_audio_is_refused(copied):
    shutil.copytree(copied.egs / "one", copied.egs / "three")
    config = copied.cross / "conf" / "shared.yaml"
    named = yaml.safe_load(config.read_text())
    unnamed = copied.score("one", "three", check=False)
    assert "do not name the recipe 'three'" in unnamed.stderr
    named["recipes"]["three"] = named["recipes"]["one"]
    config.write_text(yaml.safe_dump(named))
    leak = copied.score("one", "three", check=False)
    assert leak.returncode != 0
    assert "48 of 48 utterances of egs/three have the audio" in leak.stderr
    assert "f1-angry-1 (there f1-angry-1)" in leak.stderr
    itself = copied.score("one", "one", check=False)
    assert "a recipe on itself is its own stage 4" in itself.stderr


def test_what_was_not_run_is_named_with_its_command(copied):
    shutil.rmtree(copied.egs / "one" / "exp" / "4class" / "tiny" / "seed_1" / "fold_f2")
    done = copied.score("one", "two", check=False)
    assert "fold_f2/model.pt is missing (2 of 6 files" in done.stderr
    again = "bash egs/one/run.sh --task 4class --systems tiny --seeds 1 --stop-stage 3"
    assert again in done.stderr
    (copied.egs / "two" / "data" / "4class" / "task.json").unlink()
    done = copied.score("one", "two", check=False)
    assert "bash egs/two/run.sh --task 4class --systems tiny --stop-stage 2" in done.stderr
    assert "Traceback" not in done.stderr
