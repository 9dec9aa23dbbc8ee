"""The revision that a result says it is of."""

import platform
import subprocess
import sys

import pytest

from dsnet import environment


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Return a checkout with code and a page, and the project as if it were there."""
    for name in ("dsnet/a.py", "egs/x/RESULTS.md", "egs/x/figures/a/b.svg", "egs/x/conf/a.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1\n")
    user = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for words in (["init", "-q"], ["add", "."], [*user, "commit", "-qm", "a"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    monkeypatch.setattr(environment, "__file__", str(tmp_path / "dsnet" / "environment.py"))
    return tmp_path


def test_pages_and_new_files_are_no_changes(checkout):
    clean = environment.git_revision()
    assert len(clean) == 12
    (checkout / "egs/x/RESULTS.md").write_text("2\n")
    (checkout / "egs/x/figures/a/b.svg").unlink()
    (checkout / "note").write_text("")
    assert environment.git_revision() == clean


@pytest.mark.parametrize("name", ["dsnet/a.py", "egs/x/conf/a.yaml"])
def test_code_and_configs_are(checkout, name):
    clean = environment.git_revision()
    (checkout / name).write_text("2\n")
    assert environment.git_revision() == f"{clean}-dirty"


def test_without_git_it_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "__file__", str(tmp_path / "environment.py"))
    assert environment.git_revision() == "unknown"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="about glibc")
def test_freed_memory_stays_with_the_process():
    """A tensor of 64 MB, freed and made again, meets no page that the system has to clear."""
    code = """
import resource, torch
from dsnet.environment import keep_freed_memory
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(min(faults() for _ in range(20)))
keep_freed_memory()
print(min(faults() for _ in range(20)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert before > 10_000 and after < 100  # 2 ** 14 pages
