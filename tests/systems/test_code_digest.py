"""The digest of code: it changes with what runs, not with what is said about it."""

import importlib.util
import sys

import pytest

from dsnet.systems import SYSTEMS, code_digest

CODE = '''"""A system for the test."""

from dsnet.systems.base import Base


class Toy(Base):
    """Said about it."""

    def scale(self, x):
        """Said about it."""
        return 2 * x  # a comment
'''


@pytest.fixture
def digest_of(tmp_path, monkeypatch):
    """Return a function from the text of a system's file to the digest of its code."""
    path = tmp_path / "toy.py"

    def digest(text):
        path.write_text(text)
        spec = importlib.util.spec_from_file_location("dsnet.systems.toy", path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "dsnet.systems.toy", module)
        spec.loader.exec_module(module)
        monkeypatch.setitem(SYSTEMS, "toy", module.Toy)
        code_digest.cache_clear()
        return code_digest("toy")

    yield digest
    code_digest.cache_clear()


def test_what_is_said_about_code_does_not_count(digest_of):
    plain = digest_of(CODE)
    assert len(plain) == 16 and set(plain) <= set("0123456789abcdef")
    others = CODE.replace("Said about it", "Something else").replace("a comment", "another")
    assert digest_of(others) == plain
    bare = "\n".join(line for line in CODE.split("\n") if '"""' not in line).replace("2 * x", "2*x")
    assert digest_of(bare) == plain


def test_what_runs_counts(digest_of):
    plain = digest_of(CODE)
    assert digest_of(CODE.replace("2 * x", "3 * x")) != plain
    assert digest_of(CODE.replace("return 2 * x", 'return "2"')) != plain


def test_a_system_has_the_code_of_those_that_it_is_made_of(digest_of):
    names = ["base", "base_matched", "dat", "dsnet", "svm"]
    digests = {name: code_digest(name) for name in names}
    assert digests["base"] == digests["base_matched"]  # one file
    assert len(set(digests.values())) == 4
    digest_of(CODE)  # a system more
    assert {name: code_digest(name) for name in names} == digests
