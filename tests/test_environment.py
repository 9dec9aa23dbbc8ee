"""The revision that a result says it is of."""

import subprocess

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
