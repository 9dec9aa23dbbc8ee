"""egs/README.md, "Add a corpus", word for word: its commands and code on a small corpus."""

import csv
import io
import json
import re
import shlex
import shutil
import subprocess
import textwrap
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "egs" / "README.md").read_text(encoding="utf-8")
SPEAKERS, LABELS, TAKES = ("anna", "bert", "jürgen"), ("joy", "neutral"), 3


def blocks(section: str, language: str) -> list[str]:
    """Return the code of one language in a section of the page."""
    (text,) = re.findall(rf"^### {section}\n(.*?)^(?:#|In `run)", PAGE, re.MULTILINE | re.DOTALL)
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(code) for code in found]


def write_audio(folder: Path, name) -> list[tuple[str, str, Path]]:
    """Write a file for every speaker, label and take; return speaker, label and path of each."""
    rng, written = np.random.default_rng(0), []
    for speaker in SPEAKERS:
        for label in LABELS:
            for take in range(1, TAKES + 1):
                path = folder / name(speaker, label, take)
                path.parent.mkdir(parents=True, exist_ok=True)
                soundfile.write(path, rng.uniform(-0.4, 0.4, 8000), 16000)
                written.append((speaker, label, path))
    return written


@pytest.fixture
def project(make_recipe, tmp_path):
    recipe = make_recipe(tmp_path / "a project")
    shutil.copytree(ROOT / "egs" / "emodb" / "conf", recipe.top / "egs" / "emodb" / "conf")
    return recipe


@pytest.fixture
def type_in(project, tmp_path):
    """Type commands of the page in the root of the project, one after the other."""

    def call(commands: str) -> subprocess.CompletedProcess:
        folder = shlex.quote(str(tmp_path / "my corpus"))
        return subprocess.run(
            ["bash", "-c", commands.replace("FOLDER", folder)],
            cwd=project.top,
            env=project.env,
            capture_output=True,
            text=True,
        )

    return call


def check_stage_2(recipe: Path) -> None:
    task = recipe / "data" / "emotion"
    audit = json.loads((task / "audit.json").read_text())
    assert audit["num_utterances"] == 18 and list(audit["folds"]) == list(SPEAKERS)
    assert audit["references"]["num_by_speaker"] == dict.fromkeys(SPEAKERS, 3)
    for line in (task / "spk2neutral").read_text().splitlines():
        speaker, *references = line.split()
        assert all(speaker in name for name in references)
    gate = json.loads((recipe / "data" / "manifests" / "gate.emotion.json").read_text())
    assert gate["by_class"] == {"joy": 9, "neutral": 9} and gate["differences"] == []


def test_from_a_table_to_the_results(project, type_in, tmp_path):
    folder = tmp_path / "my corpus"
    written = write_audio(folder, lambda speaker, label, take: f"wav/{speaker}/{label} {take}.wav")
    (example,) = blocks("From a table", "csv")
    header, *examples = csv.reader(io.StringIO(example))
    assert all(len(row) == len(header) for row in examples)
    with (folder / "utterances.csv").open("w", newline="", encoding="utf-8") as stream:
        rows = csv.DictWriter(stream, header)
        rows.writeheader()
        for number, (speaker, label, path) in enumerate(written):
            rows.writerow(
                {
                    "id": f"{speaker}-{number:02d}",
                    "path": path.relative_to(folder),
                    "speaker": speaker,
                    "emotion": label,
                    "sex": "f" if speaker.endswith("a") else "m",
                    "text": f"Take {number % TAKES}, please.",
                }
            )
    make, two_stages, the_rest = blocks("From a table", "bash")
    done = type_in(make)
    assert done.returncode == 0, done.stderr
    recipe = project.top / "egs" / "mycorpus"
    (recipe / "conf" / "systems").mkdir()
    tiny = project.folder / "conf" / "systems" / "tiny.yaml"
    shutil.copy(tiny, recipe / "conf" / "systems" / "dsnet_small.yaml")
    done = type_in(two_stages)
    assert done.returncode == 0, done.stdout + done.stderr
    check_stage_2(recipe)
    sexes = (recipe / "data" / "emotion" / "spk2gender").read_text().split("\n")
    assert sexes == ["anna f", "bert m", "jürgen m", ""]

    done = type_in(the_rest)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("already done") == 5  # stages 0 to 2
    assert re.search(r"^dsnet_small +– +\d+\.\d \[", done.stdout, re.MULTILINE)
    assert (recipe / "exp" / "results" / "emotion" / "RESULTS.md").is_file()
    assert len(list(folder.rglob("*.wav"))) == 18  # nothing was written there
    assert {p.name for p in folder.iterdir()} == {"wav", "utterances.csv"}


def test_with_prepare_to_stage_2(project, type_in, tmp_path):
    write_audio(tmp_path / "my corpus", lambda *names: f"wav/{'_'.join(map(str, names))}.wav")
    make, draft, two_stages, _ = blocks("With prepare.py", "bash")
    done = type_in(make)
    assert done.returncode == 0, done.stderr
    recipe = project.top / "egs" / "mycorpus"
    (code,) = blocks("With prepare.py", "python")
    (recipe / "local" / "prepare.py").write_text(code, encoding="utf-8")
    done = type_in(draft)
    assert "labels that the task config does not know: 'joy' 9 times" in done.stderr
    assert done.returncode == 0, done.stderr  # of the draft
    done = type_in(two_stages)
    assert done.returncode == 0, done.stdout + done.stderr
    check_stage_2(recipe)
