"""Which files are an encoder: forms of weights, folders that are not whole, the hub, its cache."""

import fnmatch
import json
import pickle
import re
import shutil
import sys
from pathlib import Path

import pytest
import torch
from encoder_kinds import SETTINGS, noise, pretrained, rewritten
from tiny_encoders import D, random_weights, wav2vec2, whisper, write_encoder

from dsnet.errors import FeatureError
from dsnet.features.encoder_files import find_model
from dsnet.features.pretrained import PretrainedConfig

transformers = pytest.importorskip("transformers")
hub = pytest.importorskip("huggingface_hub")


def with_prefix(weights, prefix):
    return {f"{prefix}{name.removeprefix('model.encoder.')}": w for name, w in weights.items()}


@pytest.fixture
def another(tmp_path):
    """Return a function that writes an encoder with given weights."""
    numbers = iter(range(9))

    def write(name, weights, form="pytorch_model.bin"):
        folder = write_encoder(tmp_path / f"{name}{next(numbers)}", SETTINGS[name])
        return rewritten(folder, weights, form)

    return write


def test_whisper_is_its_encoder_however_stored(another):
    plain, samples = random_weights(whisper()), noise(8000)
    decoder = {
        "model.decoder.layer_norm.weight": torch.ones(D),
        "proj_out.weight": torch.ones(9, D),
    }
    folders = [
        another("whisper", plain),
        another("whisper", plain, "model.safetensors"),
        another("whisper", plain | decoder, "model.safetensors"),
        another("whisper", with_prefix(plain, "encoder.")),
        another("whisper", with_prefix(plain, "")),
    ]
    assert len({pretrained(folder).identity()["weights"] for folder in folders}) == 1
    feats = [pretrained(folder)(samples) for folder in folders]
    assert all(torch.equal(feats[0], one) for one in feats)


@pytest.mark.parametrize("name", ["wav2vec2", "wavlm_large", "data2vec"])
def test_an_encoder_is_itself_with_or_without_what_was_trained_on_it(another, name):
    plain = random_weights(SETTINGS[name])
    prefix = {"data2vec": "data2vec_audio"}.get(name, name.partition("_")[0])
    head = {"lm_head.weight": torch.ones(32, D), "lm_head.bias": torch.ones(32)}
    folders = [
        another(name, plain),
        another(name, plain, "model.safetensors"),
        another(name, {k: v for k, v in plain.items() if k != "masked_spec_embed"}),
        another(name, with_prefix(plain, f"{prefix}.") | head),
    ]
    assert len({pretrained(folder).identity()["weights"] for folder in folders}) == 1
    feats = [pretrained(folder)(noise(8000)) for folder in folders]
    assert all(torch.equal(feats[0], one) for one in feats)


def test_half_precision_in_the_file_is_read_as_it_is(another):
    half = {name: value.half() for name, value in random_weights(whisper()).items()}
    single = {name: value.float() for name, value in half.items()}
    one, two = (pretrained(another("whisper", weights)) for weights in (half, single))
    assert one.identity() == two.identity()
    assert torch.equal(one(noise(8000)), two(noise(8000)))


def test_weights_in_several_files(another):
    from safetensors.torch import save_file

    weights = random_weights(whisper())
    whole = another("whisper", weights)
    folder = another("whisper", weights)
    (folder / "pytorch_model.bin").unlink()
    names = {key: f"model-0000{1 + i % 2}-of-00002.safetensors" for i, key in enumerate(weights)}
    for name in {*names.values()}:
        part = {key: weights[key] for key in weights if names[key] == name}
        save_file(part, folder / name, metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": names}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert pretrained(folder).identity() == pretrained(whole).identity()
    (folder / name).unlink()
    with pytest.raises(FeatureError, match=r"model\.safetensors \(or .* is missing"):
        pretrained(folder)


def test_a_layer_that_is_not_asked_for_counts_too(another):
    weights = random_weights(whisper())
    before = pretrained(another("whisper", weights), layers=[1])
    weights["model.encoder.layers.3.fc2.bias"] += 1
    after = pretrained(another("whisper", weights), layers=[1])
    assert torch.equal(before(noise(8000)), after(noise(8000)))
    assert before.identity() != after.identity()


class Touch:
    """What makes a pickle dangerous: it is called when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["whisper", "wavlm"])
@pytest.mark.parametrize(
    "save", [torch.save, lambda x, path: path.write_bytes(pickle.dumps(x, protocol=2))]
)
def test_code_in_a_pickle_is_not_run(tmp_path, name, save):
    folder = write_encoder(tmp_path / "evil", SETTINGS[name])
    mark = tmp_path / "mark"
    save(random_weights(SETTINGS[name]) | {"more": Touch(mark)}, folder / "pytorch_model.bin")
    with pytest.raises(
        FeatureError, match="evil: pytorch_model.bin is not loaded: .* run anything"
    ):
        pretrained(folder)(noise(8000))
    assert not mark.exists()
    pickle.loads(pickle.dumps(Touch(mark)))
    assert mark.exists()  # it would have been


def test_code_in_a_folder_is_not_run(tmp_path):
    folder, mark = write_encoder(tmp_path / "evil", whisper()), tmp_path / "mark"
    (folder / "code.py").write_text(f"open({str(mark)!r}, 'w')\nclass Any: pass\n")
    for name in ("config.json", "preprocessor_config.json"):
        values = json.loads((folder / name).read_text())
        values["auto_map"] = dict.fromkeys(("AutoConfig", "AutoFeatureExtractor"), "code.Any")
        (folder / name).write_text(json.dumps(values))
    assert pretrained(folder)(noise(8000)).shape == (25, D)
    assert not mark.exists()


# Files that are not there, or not what they should be


def edit(folder, name, **values):
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def spoil(folder, how):
    if how == "unknown type":
        edit(folder, "config.json", model_type="whsper")
    elif how == "another type":
        edit(folder, "config.json", model_type="bert")
    elif how == "broken settings":
        (folder / "config.json").write_text("{")
    elif how == "no settings":
        (folder / "config.json").write_text("[]")
    elif how == "broken front":
        (folder / "preprocessor_config.json").write_text("{")
    elif how == "no front":
        (folder / "preprocessor_config.json").unlink()
    elif how == "no weights":
        (folder / "pytorch_model.bin").unlink()
    elif how == "no weights nor front":
        spoil(folder, "no front")
        spoil(folder, "no weights")
    elif how == "more layers":
        edit(folder, "config.json", encoder_layers=5)
    elif how == "other sizes":
        edit(folder, "config.json", num_mel_bins=128)
    elif how == "another model":
        torch.save(random_weights(wav2vec2()), folder / "pytorch_model.bin")
    elif how == "cut off":
        path = folder / "pytorch_model.bin"
        path.write_bytes(path.read_bytes()[:9999])
    elif how == "empty":
        (folder / "pytorch_model.bin").write_bytes(b"")
    elif how == "a page":
        (folder / "pytorch_model.bin").write_text("version https://git-lfs.github.com/spec/v1\n")
    elif how == "a page, safetensors":
        (folder / "pytorch_model.bin").rename(folder / "model.safetensors")
        (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (
            "unknown type",
            "config.json: model_type is 'whsper'; known are whisper, wav2vec2, hubert",
        ),
        ("another type", "config.json: model_type is 'bert'; known are whisper, "),
        ("broken settings", "config.json: not the settings of an encoder: Expecting"),
        ("no settings", "config.json: not the settings of an encoder"),
        ("broken front", "preprocessor_config.json: .*not a valid JSON"),
        ("no front", "spoilt: preprocessor_config.json is missing; copy it there"),
        ("no weights", r"spoilt: model.safetensors \(or pytorch_model.bin\) is missing; copy it"),
        ("no weights nor front", r"preprocessor_config.json and model.safetensors .* is missing"),
        (
            "more layers",
            r"15 weights of .*spoilt are missing or .*, first: layers\.4\..*another model\?",
        ),
        ("other sizes", "1 weights of .* are missing or of another size, first: conv1.weight. Is"),
        ("another model", "57 weights of .* are missing or .*, first: conv1.bias, conv1.weight, "),
        ("cut off", "spoilt: weights that cannot be read: "),
        ("empty", "spoilt: weights that cannot be read: "),
        ("a page", "spoilt: pytorch_model.bin is not loaded: .*take model.safetensors"),
        ("a page, safetensors", "spoilt: weights that cannot be read: "),
    ],
)
def test_a_folder_that_is_not_whole(tmp_path, how, message):
    folder = write_encoder(tmp_path / "spoilt", whisper())
    spoil(folder, how)
    with pytest.raises(FeatureError, match=message) as raised:
        pretrained(folder)(noise(8000))
    assert "\n" not in str(raised.value)


def test_a_layer_beyond_the_last(encoders):
    assert pretrained(encoders["whisper"], layers=[4]).layers == [4]
    with pytest.raises(FeatureError, match=r"toy: no hidden state 5; .*whisper has 0 to 4 \(conf/"):
        pretrained(encoders["whisper"], layers=[0, 5])


def test_without_transformers_the_error_says_what_to_install(encoders, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(FeatureError, match=r"transformers.*pip install -e '.\[pretrained\]'"):
        pretrained(encoders["whisper"])


@pytest.mark.parametrize("place", ["owner/toy", "toy", "toy-encoder"])
def test_where_an_encoder_may_lie(tmp_path, monkeypatch, place):
    write_encoder(tmp_path / place, whisper(num_layers=3))
    monkeypatch.setenv("DSNET_MODELS", str(tmp_path))
    assert pretrained("owner/toy").layers == [0, 1, 2, 3]


# The hub


class Hub:
    """Stands for the client of the hub, with repositories in a folder."""

    def __init__(self, repositories, cache):
        self.repositories, self.cache, self.calls = repositories, cache, []

    def get_hf_file_metadata(self, url, timeout):
        self.calls.append("request")
        assert timeout <= 10
        owner, name = re.search("([^/]+)/([^/]+)/resolve/", url).groups()
        if not (self.repositories / owner / name).exists():
            raise ConnectionError  # says nothing

    def snapshot_download(self, model, revision, allow_patterns, local_files_only):
        self.calls.append("look" if local_files_only else "download")
        target = self.cache / model / revision
        if not local_files_only:
            target.mkdir(parents=True, exist_ok=True)
            for path in (self.repositories / model).iterdir():
                if any(fnmatch.fnmatch(path.name, pattern) for pattern in allow_patterns):
                    shutil.copy(path, target)
        elif not target.exists():
            raise hub.errors.LocalEntryNotFoundError("nothing there")
        return str(target)


@pytest.fixture
def fake_hub(tmp_path, monkeypatch):
    made = Hub(tmp_path / "hub", tmp_path / "cache")
    for name in ("get_hf_file_metadata", "snapshot_download"):
        monkeypatch.setattr(hub, name, getattr(made, name))
    return made


@pytest.mark.parametrize("given", [None, "of/models"])
def test_neither_folder_nor_hub(fake_hub, monkeypatch, given):
    monkeypatch.delenv("DSNET_MODELS")
    if given:
        monkeypatch.setenv("DSNET_MODELS", given)
    with pytest.raises(FeatureError) as raised:
        pretrained("owner/toy", revision="abc")
    more = ", of/models/owner/toy, of/models/toy, of/models/toy-encoder" if given else ""
    assert str(raised.value) == (
        f"no files of owner/toy: looked at owner/toy{more} and at the Hugging Face hub "
        "(ConnectionError). Without access to the hub, put config.json, preprocessor_config.json "
        "and model.safetensors (or pytorch_model.bin) of "
        "https://huggingface.co/owner/toy/tree/abc into FOLDER/toy and give --models-dir FOLDER, "
        "or set DSNET_MODELS"
    )
    assert fake_hub.calls == ["look", "request"]  # and no download, which tries again and again


def test_the_clients_own_error_without_a_hub(monkeypatch, tmp_path):
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    assert hub.constants.HF_HUB_OFFLINE
    with pytest.raises(FeatureError, match=r"looked at owner/toy, .*hub \(OfflineModeIsEnabled: "):
        pretrained("owner/toy")
    with pytest.raises(FeatureError, match=r"looked at /no/such/toy, .*\(HFValidationError: "):
        pretrained("/no/such/toy")


@pytest.mark.parametrize("form", ["pytorch_model.bin", "model.safetensors"])
def test_one_form_of_the_weights_is_fetched_once(fake_hub, encoders, form):
    source = fake_hub.repositories / "owner" / "toy"
    shutil.copytree(encoders["whisper"], source)
    for name in {form, "tf_model.h5", "code.py", "training_args.bin"} - {"pytorch_model.bin"}:
        (source / name).write_text("")
    toy = PretrainedConfig(model="owner/toy")
    folder = fake_hub.cache / "owner" / "toy" / "main"
    folder.mkdir(parents=True)
    shutil.copy(source / "config.json", folder)  # as a download that was stopped leaves it
    assert find_model(toy.model, toy.revision, None) == folder
    assert "request" in fake_hub.calls and "download" in fake_hub.calls
    assert {path.name for path in folder.iterdir()} == {
        "config.json", "preprocessor_config.json", form
    }  # fmt: skip
    fake_hub.calls.clear()
    assert find_model(toy.model, toy.revision, None) == folder
    assert {*fake_hub.calls} == {"look"}


def test_a_hub_that_lacks_a_file(fake_hub, encoders):
    source = fake_hub.repositories / "owner" / "toy"
    shutil.copytree(encoders["whisper"], source)
    (source / "preprocessor_config.json").unlink()
    with pytest.raises(
        FeatureError, match="no files of owner/toy.*preprocessor_config.json is mis"
    ):
        find_model("owner/toy", "main", None)


@pytest.mark.parametrize("revision", ["main", 40 * "a"])
def test_the_cache_of_the_hub_is_enough(monkeypatch, tmp_path, encoders, revision):
    repository = tmp_path / "models--owner--toy"
    shutil.copytree(encoders["wav2vec2"], repository / "snapshots" / (40 * "a"))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(40 * "a")
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "get_hf_file_metadata", None)
    found = pretrained("owner/toy", revision=revision)
    assert torch.equal(found(noise(8000)), pretrained(encoders["wav2vec2"])(noise(8000)))
