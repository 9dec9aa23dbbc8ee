"""Messages name paths as the user can type them, wherever the recipe's folder is from there."""

import sys

import pytest

from dsnet.bin import run
from dsnet.errors import DsnetError
from dsnet.shown import shown


@pytest.mark.parametrize(
    "text, expected",
    [
        ("exp/4class/a b.json: no such file", "egs/x/exp/4class/a b.json: no such file"),
        ("in conf/systems or ../conf/systems; y", "in egs/x/conf/systems or egs/conf/systems; y"),
        ("(data/fbank/feats.scp)", "(egs/x/data/fbank/feats.scp)"),
        ("./RESULTS.md: tables. See .", "egs/x/RESULTS.md: tables. See ."),
        ("bash ../one/run.sh --task t", "bash egs/one/run.sh --task t"),
        ("/corpora/emodb/data/x.wav", "/corpora/emodb/data/x.wav"),
        ("/my data/emodb/x.wav: bad", "/my data/emodb/x.wav: bad"),
        ("/my data/x.wav: data/x", "/my data/x.wav: egs/x/data/x"),
        ("from /corpora/emodb to data/x: 3", "from /corpora/emodb to egs/x/data/x: 3"),
        ("metadata/x and my-data/x", "metadata/x and my-data/x"),
        ("the data of exp and conf", "the data of exp and conf"),
    ],
)  # fmt: skip
def test_from_the_projects_root(monkeypatch, text, expected):
    monkeypatch.setenv("DSNET_FROM", "egs/x")
    assert shown(text) == expected


def test_in_the_recipe_itself_and_without_a_recipe(monkeypatch):
    monkeypatch.setenv("DSNET_FROM", "")
    assert shown("exp/4class: x") == "exp/4class: x"
    monkeypatch.delenv("DSNET_FROM")
    assert shown("exp/4class: x") == "exp/4class: x"


def test_what_a_program_prints(monkeypatch, capsys):
    def main():
        print("data/fbank:", 3, "utterances")
        raise DsnetError("conf/x.yaml: no such file")

    monkeypatch.setenv("DSNET_FROM", "egs/x")
    monkeypatch.setattr("sys.argv", ["/bin/some.py"])
    monkeypatch.setattr("sys.stdout", sys.stdout)  # which `run` replaces
    with pytest.raises(SystemExit, match="some: egs/x/conf/x.yaml: no such file"):
        run(main)
    assert capsys.readouterr().out == "egs/x/data/fbank: 3 utterances\n"
