"""The benchmark of stages measures processes of known size, and runs a copy of a recipe."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from benchmark_stages import copy_recipe, measure, process_tree

from dsnet.corpus.prepare import prepare
from dsnet.corpus.utterance import Utterance
from dsnet.errors import DsnetError

ROOT = Path(__file__).parents[2]
MIB = 1024  # in KiB
# 60 MiB that nobody shares, half a second of work, then long enough to be seen
HOLD = """
import time
block = b"x" * (60 << 20)
while time.process_time() < 0.5:
    pass
time.sleep(1)
"""
RUN_SH = """\
corpus_dir=
stage=0
stop_stage=5
nj=2

. "$(dirname "$0")/../../path.sh"
. "$DSNET_ROOT/utils/recipe.sh"
parse_options "$@"
echo "$PWD $stage $stop_stage $nj" >> "$corpus_dir"/called
for (( n = stage; n <= stop_stage; n++ )); do mkdir "done.$n"; done
[[ $stage != 0 ]] || cp -r "$corpus_dir"/data .
"""


def test_all_processes_of_a_command_count(tmp_path):
    # two grandchildren at once, in sessions of their own as jobs are
    command = ["bash", "-c", 'for i in 1 2; do setsid "$0" -I -c "$1" & done; wait']
    usage = measure([*command, sys.executable, HOLD], tmp_path / "log")
    assert 120 * MIB < usage.peak_kib < 200 * MIB
    assert 1.0 <= usage.cpu_seconds < 5.0
    assert usage.wall_seconds >= 1.5


def test_process_tree_holds_descendants_and_nobody_else():
    with subprocess.Popen(["bash", "-c", "sleep 60 & echo $!; wait"], stdout=-1) as parent:
        child = int(parent.stdout.readline())
        assert process_tree(parent.pid) == [parent.pid, child]
        subprocess.run(["kill", str(child)], check=True)


def test_a_failure_shows_the_end_of_its_output(tmp_path):
    command = ["bash", "-c", "seq 100; exit 3"]
    with pytest.raises(DsnetError, match=r"(?s)ended with 3:\n81\n.*\n100$") as error:
        measure(command, tmp_path / "log")
    assert "\n80\n" not in str(error.value)


@pytest.fixture
def project(tmp_path, request):
    """A project of one recipe that stage 0 has been run in, and its corpus: 36 s of audio."""
    root = request.config.rootpath
    recipe, corpus = tmp_path / "project" / "egs" / "toy", tmp_path / "a corpus"
    for folder in (recipe / "conf", recipe / "local", recipe / "done.0", corpus):
        folder.mkdir(parents=True)
    for name in ("path.sh", "utils", "egs/conf", "egs/options.sh", "egs/stages.sh"):
        (tmp_path / "project" / name).symlink_to(root / name)
    (recipe / "run.sh").write_text(RUN_SH)
    soundfile.write(corpus / "a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 36000), 1000)
    utterances = [Utterance(id="a", speaker="s", emotion="x", path=corpus / "a.wav")]
    prepare(utterances, corpus / "data" / "manifests")
    return recipe, corpus


def benchmark(*args):
    command = [sys.executable, ROOT / "utils" / "benchmark_stages.py", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True)


def test_each_stage_runs_alone_in_a_copy_without_data(project):
    recipe, corpus = project
    done = benchmark(recipe, "--corpus-dir", corpus, "--nj", "3")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "toy: 0.01 h of audio" in lines[0]
    assert [line.split(" s wall")[0].rsplit(maxsplit=1)[0] for line in lines[1:]] == [
        "stage 0",
        "stage 1",
        "stage 2",
        "total",
    ]
    called = [line.rsplit(maxsplit=3) for line in (corpus / "called").read_text().splitlines()]
    assert [call[1:] for call in called] == [["0", "0", "3"], ["1", "1", "3"], ["2", "2", "3"]]
    assert all(call[0] != str(recipe) and call[0].endswith("egs/toy") for call in called)
    assert sorted(p.name for p in recipe.iterdir()) == ["conf", "done.0", "local", "run.sh"]


def test_no_recipe(project, tmp_path):
    with pytest.raises(DsnetError, match="give the folder of a recipe: egs/emodb"):
        copy_recipe(project[1], tmp_path / "copy")
