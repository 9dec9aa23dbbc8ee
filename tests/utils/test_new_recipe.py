"""new_recipe.sh: what it makes passes the checks of a recipe; what it refuses leaves nothing."""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dsnet.config import load
from dsnet.corpus.columns import parse_columns
from dsnet.task import TaskConfig

ROOT = Path(__file__).parents[2]
TABLE = "id;path;speaker;emotion\n" + "".join(
    f"{speaker}{label};{speaker}/{label}.wav;{speaker};{label}\n"
    for speaker in ("ann", "bob", "eve")
    for label in ("N", "W")
)


@pytest.fixture
def egs(project):
    """The folder of recipes in a copy of the project, with all that a new one is made from."""
    (project / "egs").mkdir()
    for name in ("options.sh", "stages.sh"):
        shutil.copy(ROOT / "egs" / name, project / "egs")
    (project / "egs" / "emodb").mkdir()
    shutil.copy(ROOT / "pyproject.toml", project)
    return project / "egs"


@pytest.fixture
def new_recipe(egs, environment, tmp_path):
    def call(*args, **extra):
        return subprocess.run(
            ["bash", egs.parent / "utils" / "new_recipe.sh", *args],
            cwd=tmp_path,
            env=environment(**extra),
            capture_output=True,
            text=True,
        )

    return call


@pytest.fixture
def table(tmp_path):
    (tmp_path / "corpus").mkdir()
    path = tmp_path / "corpus" / "my labels.csv"
    path.write_text(TABLE)
    return path


def check(recipe):
    """Do what the tests of all recipes, and lint, would do with this one."""
    spec = importlib.util.spec_from_file_location("recipes", ROOT / "tests" / "test_recipes.py")
    checks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(checks)
    checks.EGS = recipe.parent
    checks.test_run_sh_documents_its_options(recipe / "run.sh")
    checks.test_a_recipe_has_its_own_stage_0_and_shares_the_others(recipe)
    checks.test_task_configs_load(recipe / "conf" / "emotion.yaml")
    bin_dir = Path(sys.prefix) / "bin"
    for command in (
        [bin_dir / "ruff", "check", "."],
        [bin_dir / "ruff", "format", "--check", "."],
        [bin_dir / "shellcheck", "-x", "-P", f"SCRIPTDIR:{recipe.parents[1]}", "run.sh"],
    ):
        done = subprocess.run(command, cwd=recipe, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    assert os.access(recipe / "run.sh", os.X_OK)


def files(recipe):
    return sorted(str(p.relative_to(recipe)) for p in recipe.rglob("*") if p.is_file())


def test_recipe_with_prepare(new_recipe, egs):
    done = new_recipe("my_corpus")
    assert done.returncode == 0, done.stderr
    made = egs / "my_corpus"
    assert files(made) == ["README.md", "conf/emotion.yaml", "local/prepare.py", "run.sh"]
    check(made)
    assert done.stdout.endswith(
        "\n  bash 'my project/egs/my_corpus/run.sh' --corpus-dir FOLDER --stop-stage 2\n"
    )
    help_text = subprocess.run(
        ["bash", made / "run.sh", "--help"], capture_output=True, text=True
    ).stdout
    assert help_text.startswith("DSNet on my_corpus: ")
    assert "bash egs/my_corpus/run.sh --corpus-dir FOLDER [--stage N]" in help_text
    assert "--task (emotion) " in help_text and "make_corpus" not in (made / "run.sh").read_text()
    assert "mini" not in (made / "run.sh").read_text()


def test_recipe_from_a_table(new_recipe, egs, table):
    done = new_recipe("from_table", "--table", "corpus/my labels.csv")
    assert done.returncode == 0, done.stderr
    made = egs / "from_table"
    assert not (made / "local").exists()
    check(made)
    task = load(made / "conf" / "emotion.yaml", TaskConfig)
    assert task.label_map == {"N": "N", "W": "W"} and task.references.native_label == "N"
    assert task.gate.by_speaker == {"ann": 2, "bob": 2, "eve": 2}
    text = (made / "run.sh").read_text()
    assert (
        text.splitlines()[1] == "# DSNet on from_table: 6 utterances of 3 speakers with 2 labels."
    )
    assert 'data/manifests "${audio_options[@]}"\n' in text
    assert "\ntable='my labels.csv'\ncolumns=\n" in text and "--table (my labels.csv)" in text
    assert "prepare.py" not in text
    assert "6 utterances of 3 speakers with 2 labels." in (made / "README.md").read_text()
    assert "emotion.yaml, which was drafted from the table" in done.stdout
    assert done.stdout.endswith("run.sh' --corpus-dir corpus --stop-stage 2\n")


@pytest.mark.parametrize("path", ["Datei", "it's", 'a "b"', "$HOME \\ `c`"])
def test_the_tables_own_columns_are_written_into_the_recipe(new_recipe, egs, table, path):
    """In a way that the shell and --columns of run.sh read back, whatever the names hold."""
    names = {"path": path, "speaker": "Sprecher", "emotion": "primary emotion"}
    rows = TABLE.partition("\n")[2]
    doubled = [name.replace('"', '""') for name in names.values()]
    text = "id;" + ";".join(f'"{name}"' for name in doubled) + "\n" + rows
    table.write_text(text)
    pairs = shlex.join(f"{ours}={theirs}" for ours, theirs in names.items())
    done = new_recipe("named", "--table", str(table), "--columns", pairs)
    assert done.returncode == 0, done.stderr
    (line,) = re.findall("^columns=.*", (egs / "named" / "run.sh").read_text(), re.MULTILINE)
    command = f'{line}\nprintf %s "$columns"'
    told = subprocess.run(["bash", "-c", command], capture_output=True, text=True).stdout
    assert parse_columns(told) == names
    if path == "Datei":
        assert line == "columns=\"path=Datei speaker=Sprecher 'emotion=primary emotion'\""
        check(egs / "named")
    assert table.read_text() == text


def test_what_a_person_should_know_about_a_table_is_told(new_recipe, table):
    text = TABLE.replace("id;", "nr;").replace("eve;W", "Bob;W")
    table.write_text(text)
    done = new_recipe("told", "--table", str(table))
    notes = [line for line in done.stdout.splitlines() if line.startswith("note: ")]
    assert notes == [
        "note: no column id: ids are the last 2 parts of their paths, such as 'ann-N'",
        "note: speakers Bob and bob look alike: one person under several names?",
    ]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--table", "none.csv"], r"--table: none\.csv: no such file; tables in \.: none"),
        (["--table", "corpus"], r"--table: corpus: a folder, not a table; .*: my labels\.csv"),
        (["--table", "corpus/my labels.csv", "--columns", "speker=x"], "did you mean 'speaker'"),
        (["--table", "corpus/my labels.csv", "--columns", "text=mood"], "no column 'mood' in the"),
        (["--columns", "path=x"], "give --table FILE, too"),
    ],
)
def test_wrong_options_are_called_by_their_names(new_recipe, egs, table, args, message):
    done = new_recipe("wrong", *args)
    assert done.returncode == 1 and not (egs / "wrong").exists()
    assert re.match(f"new_recipe.sh: .*{message}", done.stderr) and done.stderr.count("\n") == 1


def test_a_table_without_a_neutral_label_says_what_to_fill_in(new_recipe, egs, table):
    table.write_text(TABLE.replace("N", "calm"))
    done = new_recipe("calm", "--table", str(table))
    assert re.search(r"say in .*emotion\.yaml'? which label is neutral speech", done.stdout)
    config = egs / "calm" / "conf" / "emotion.yaml"
    config.write_text(config.read_text().replace("native_label:\n", "native_label: calm\n"))
    check(egs / "calm")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "My Corpus",
            "'My Corpus' is no name of a recipe; expected lower-case .*'my_corpus' would",
        ),
        ("a/b", "'a/b' is no name of a recipe"),
        ("../up", "'../up' is no name of a recipe; .*'up' would do"),
        ("2nd", "'2nd' is no name of a recipe; .*'nd' would do"),
        ("ü", r"'ü' is no name of a recipe; expected .* such as my_corpus\n"),
        ("", "'' is no name of a recipe"),
        ("emodb", "egs/emodb exists already; choose another name"),
    ],
)
def test_bad_names(new_recipe, egs, name, message):
    before = files(egs)
    done = new_recipe(name)
    assert done.returncode == 1 and done.stdout == ""
    assert re.match(f"new_recipe.sh: .*{message}", done.stderr) and done.stderr.count("\n") == 1
    assert files(egs) == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,path,speaker\n", r"my labels\.csv:1: no column 'emotion'"),
        (TABLE.split("eve")[0], r"2 speakers \(ann, bob\); folds by speaker need three or more"),
        (TABLE.replace(";W\n", ";N\n"), "have the label N; a task needs two classes"),
    ],
)
def test_bad_tables(new_recipe, egs, table, text, message):
    table.write_text(text)
    done = new_recipe("bad", "--table", str(table))
    assert done.returncode == 1 and re.search(message, done.stderr)
    assert sorted(p.name for p in egs.iterdir()) == ["emodb", "options.sh", "stages.sh"]


def test_a_project_that_is_not_installed(new_recipe):
    done = new_recipe("soon", PATH="/usr/bin:/bin", VIRTUAL_ENV="/none")
    assert done.returncode == 1 and "run: bash utils/setup.sh" in done.stderr


def test_the_page_shows_the_prepare_that_is_made(new_recipe, egs):
    new_recipe("mycorpus")
    page = (ROOT / "egs" / "README.md").read_text()
    made = (egs / "mycorpus" / "local" / "prepare.py").read_text()
    (shown,) = re.findall(r"```python\n(.*?)   ```", page, re.DOTALL)
    assert re.sub("(?m)^   ", "", shown) == made


def test_votes_are_written_into_the_recipe(new_recipe, egs, table):
    table.write_text(TABLE + "again;ann/N.wav;ann;W\n")
    done = new_recipe("voted", "--table", "corpus/my labels.csv", "--votes", "majority")
    assert done.returncode == 0, done.stderr
    assert "7 rows are votes on 6 clips; 1 without a majority have the label 'tie'" in done.stdout
    check(egs / "voted")
    task = load(egs / "voted" / "conf" / "emotion.yaml", TaskConfig)
    assert task.ignored_labels == ["tie"] and task.gate.by_speaker == {"ann": 1, "bob": 2, "eve": 2}
    text = (egs / "voted" / "run.sh").read_text()
    assert "\nvotes=majority\n" in text and '--votes "$votes"' in text
    done = new_recipe("coded", "--votes", "majority")
    assert done.returncode == 1 and "give --table FILE, too" in done.stderr
