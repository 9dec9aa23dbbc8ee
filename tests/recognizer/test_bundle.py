import json
import shutil

import pytest
import yaml
from tiny_bundles import sound, write_tiny

from dsnet.errors import BundleError, ConfigError
from dsnet.recognizer.bundle import find_bundle, read_bundle
from dsnet.recognizer.recognizer import Recognizer


@pytest.fixture
def copy(tiny_folder, tmp_path):
    return shutil.copytree(tiny_folder, tmp_path / "copy")


def rewrite(folder, change):
    """Change manifest.json."""
    path = folder / "manifest.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_a_zip_file_of_it_is_the_same_model(tiny_folder, tmp_path):
    archive = shutil.make_archive(
        str(tmp_path / "tiny"), "zip", tiny_folder.parent, tiny_folder.name
    )
    whole, zipped = read_bundle(tiny_folder), read_bundle(find_bundle(archive))
    assert whole.id == zipped.id
    samples = sound(1.3)
    results = [Recognizer(bundle)(samples, 16000) for bundle in (whole, zipped)]
    assert results[0].scores == results[1].scores


@pytest.mark.parametrize("name", ["config.yaml", "model.safetensors", "card.md"])
def test_a_file_that_is_damaged_is_named(copy, name):
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(BundleError, match=rf"{name} is not the file that manifest.json"):
        read_bundle(copy)


@pytest.mark.parametrize("name", ["manifest.json", "config.yaml", "model.safetensors", "card.md"])
def test_a_file_that_is_missing_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(BundleError, match=f"no {name} in it"):
        read_bundle(copy)


@pytest.mark.parametrize(("version", "hint"), [(2, "update dsnet"), (0, "make the bundle anew")])
def test_a_bundle_of_another_format_is_refused(copy, version, hint):
    rewrite(copy, lambda content: content.update(format=version))
    with pytest.raises(BundleError, match=f"format {version}.*{hint}"):
        read_bundle(copy)


@pytest.mark.parametrize("text", ["", "[]", '{"format": 1}', "null", '"bundle"'])
def test_another_manifest_is_refused(copy, text):
    (copy / "manifest.json").write_text(text)
    with pytest.raises(BundleError, match=r"manifest\.json is not that of a bundle"):
        read_bundle(copy)


@pytest.mark.parametrize("content", [b"", b"PK", b"RIFF" + bytes(40)])
def test_a_file_that_is_no_bundle_is_refused(tmp_path, content):
    path = tmp_path / "talk.wav"
    path.write_bytes(content)
    with pytest.raises(BundleError, match="neither a bundle's folder nor a zip file"):
        read_bundle(path)


def test_a_name_that_there_is_not_is_answered_by_those_that_there_are():
    with pytest.raises(BundleError, match="no such folder or file, and no model of the package"):
        find_bundle("emodb-huge")


def edit_config(folder, change):
    """Change config.yaml and sign it anew, as one who makes bundles by hand would."""
    import hashlib

    path = folder / "config.yaml"
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    rewrite(folder, lambda manifest: manifest["files"].update({"config.yaml": digest}))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda c: c["features"].update(kind="mfcc"), BundleError, "no kind of features 'mfcc'"),
        (lambda c: c.pop("classes"), BundleError, "KeyError: 'classes'"),
        (
            lambda c: c["members"]["none"]["system"].update(colour=1),
            ConfigError,
            "unknown key 'colour'",
        ),
        (lambda c: c["features"].update(flavour=1), BundleError, "flavour"),
    ],
)
def test_a_config_of_another_version_is_refused(copy, change, error, words):
    edit_config(copy, change)
    with pytest.raises(error, match=words):
        read_bundle(copy)


def test_weights_that_do_not_fit_are_refused(copy):
    edit_config(copy, lambda c: c["classes"].append("bored"))
    with pytest.raises(BundleError, match="weights that do not fit"):
        Recognizer.load(copy)


def test_a_bundle_does_not_take_the_place_of_something_else(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.txt").write_text("years of work")
    with pytest.raises(BundleError, match=r"holds thesis\.txt, and a bundle would take its place"):
        write_tiny(tmp_path / "thesis")
    assert (tmp_path / "thesis" / "thesis.txt").read_text() == "years of work"


def test_a_bundle_takes_the_place_of_another_whole(tmp_path):
    write_tiny(tmp_path / "model", seed=1)
    before = read_bundle(tmp_path / "model").id
    write_tiny(tmp_path / "model", seed=2)
    assert read_bundle(tmp_path / "model").id != before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
