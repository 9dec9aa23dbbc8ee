"""The plan of a run: what the stages will do, and everything that is wrong before they begin."""

import json
import sys

import pytest
import yaml

from dsnet.bin import plan
from dsnet.errors import ConfigError

TASK = {"classes": ["neutral", "happy"], "label_map": {"N": "neutral", "H": "happy"}}
TASK["gate"] = {"utterances": 40}
SYSTEMS = {
    "one": "kind: base\ncontrol: two\nenrolment: {source: neutral}\n",
    "two": "kind: base\n",
    "tight": "kind: base\nfeatures: few\n",
    "last": "kind: base\ntrain: {select: last, stop_after: 0, schedule: constant}\n",
    "last_any": "inherit: last\nenrolment: {source: any}\n",
    "heard": "inherit: last\nenrolment: {source: all}\n",
    "pair": "inherit: last\nkind: dsc\n",
    "adapted": "inherit: last\nkind: dat_transductive\n",
    "lost": "kind: base\ncontrol: tow\n",
    "vectors": "kind: svm\nfeatures: compare\n",
    "mismatched": "kind: svm\n",
    "bent": "kind: svm\nfeatures: compare\naugment: {gain: 3.0}\n",
}
FINETUNED = "kind: base\nencoder: {kind: finetuned, channels: [4, 4]}\n"  # and features
FEATURES = {
    "fbank": "kind: fbank\n",
    "states": "kind: pretrained\nmodel: openai/whisper-base\nlayers: [2]\n",
    "few": "inherit: fbank\nnum_mel_bins: 12\n",
    "compare": "kind: opensmile\n",
}


@pytest.fixture
def make_plan(tmp_path, monkeypatch, capsys):
    """A function that plans a run of systems; returns the lines printed and what stderr says."""
    texts = {f"conf/systems/{name}.yaml": text for name, text in SYSTEMS.items()}
    texts |= {f"conf/features/{name}.yaml": text for name, text in FEATURES.items()}
    texts["conf/2class.yaml"] = yaml.safe_dump(TASK)
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)

    def run(systems, *options):
        words = ["plan", "--task", "2class", "--systems", systems, "--device", "cpu", *options]
        monkeypatch.setattr(sys, "argv", words)
        plan.main()
        done = capsys.readouterr()
        return done.out.splitlines(), done.err

    return run


def test_each_thing_to_do_is_a_line(make_plan):
    lines, _ = make_plan("one two@features=fbank@num_mel_bins=64 one+two")
    assert lines == [
        "network one fbank -",
        "network two@features=fbank@num_mel_bins=64 fbank@num_mel_bins=64 -",
        "network two fbank -",
        "ensemble one+two one two",
        "features fbank fbank",
        "features fbank@num_mel_bins=64 fbank",
    ]


def test_enrolments_are_for_those_that_have_one(make_plan):
    other = "one@enrolment.source=any"
    lines, _ = make_plan(f"one two {other}", "--enrolments", "neutral:1 all any:3 neutral:5")
    assert lines[:3] == [
        "network one fbank neutral:1 neutral:5",
        "network two fbank -",
        f"network {other} fbank all any:3",
    ]


def test_linear_systems_are_told_from_networks(make_plan):
    pytest.importorskip("opensmile")
    assert make_plan("vectors")[0] == ["linear vectors compare -", "features compare opensmile"]


def test_a_file_that_stages_depend_on_changes_only_with_what_it_says(make_plan, tmp_path):
    make_plan("two")
    paths = [tmp_path / "exp/2class/two/system.json", tmp_path / "data/fbank/config.json"]
    assert json.loads(paths[1].read_text())["num_mel_bins"] == 80
    before = [path.stat().st_mtime_ns for path in paths]
    make_plan("one two")
    assert [path.stat().st_mtime_ns for path in paths] == before
    (tmp_path / "conf/systems/two.yaml").write_text("kind: base\ntrain: {max_epochs: 7}\n")
    make_plan("two")
    assert json.loads(paths[0].read_text())["config"]["train"]["max_epochs"] == 7
    assert paths[1].stat().st_mtime_ns == before[1]


def test_what_a_change_does_to_trained_networks_is_said(make_plan, tmp_path):
    make_plan("two")
    system = json.loads((tmp_path / "exp/2class/two/system.json").read_text())
    said = {"identity": {"config": system["config"]}, "digests": {"code": system["code"]}}
    said |= {"seed": 1}
    for fold in "ab":
        folder = tmp_path / f"exp/2class/two/seed_1/fold_{fold}"
        folder.mkdir(parents=True)
        (folder / "train.json").write_text(json.dumps(said | {"fold": fold}))
    assert make_plan("two")[1] == ""
    (tmp_path / "conf/systems/two.yaml").write_text("kind: base\ntrain: {max_epochs: 7}\n")
    assert make_plan("two")[1] == (
        "two changed (train.max_epochs 80 -> 7): stage 3 trains anew, replaces 2 models\n"
    )
    assert "replaces 1 model\n" in make_plan("two", "--folds", "b")[1]
    assert make_plan("two", "--seeds", "2")[1] == ""
    (folder / "train.json").write_text('{"seed": 1, "fold": "b", "system": "two"}')
    assert "two changed (an earlier version of the project)" in make_plan("two", "--folds", "b")[1]


def test_enrolments_must_fit_the_features(make_plan, tmp_path):
    pytest.importorskip("opensmile")
    text = "kind: svm\nfeatures: compare\nenrolment: {source: all}\n"
    (tmp_path / "conf/systems/all.yaml").write_text(text)
    assert make_plan("all", "--enrolments", "all")
    with pytest.raises(ConfigError, match="shift_and_scale, but the features 'compare' have one"):
        make_plan("all", "--enrolments", "all any:1")


def test_who_learned_from_whole_speakers_cannot_tell_how_far_to_believe_a_few(make_plan):
    assert make_plan("heard", "--enrolments", "all")[0][0] == "network heard fbank all"
    with pytest.raises(ConfigError, match="'any:3': .* enrolment.source all, so it has not learn"):
        make_plan("heard", "--enrolments", "any:3")
    whole = "heard@enrolment.shrink=false"  # believes everything, of whatever enrolment
    assert make_plan(whole, "--enrolments", "any:3")[0][0] == f"network {whole} fbank any:3"


def test_another_version_of_a_library_is_a_reason_to_compute_features_again(
    make_plan, tmp_path, monkeypatch
):
    pytest.importorskip("opensmile")
    make_plan("vectors")
    before = (tmp_path / "data/compare/config.json").read_text()
    monkeypatch.setattr("opensmile.__version__", "99.0")
    make_plan("vectors")
    after = json.loads((tmp_path / "data/compare/config.json").read_text())
    assert after == {**json.loads(before), "opensmile": "99.0"} != json.loads(before)


@pytest.mark.parametrize(
    "systems, options, message",
    [
        ("tow", [], "no system 'tow' in .*; did you mean 'two'"),
        ("", [], "--systems names no system"),
        ("one@features=fbnk", [], "system one@.*no features 'fbnk'.*did you mean 'fbank'"),
        ("tight", [], "system tight: .*needs 16 mel bins or more; the features 'few' have 12"),
        (
            "two@features=fbank@use_log=false",
            [],
            "use_log false; .* is for logarithms. Set it true",
        ),
        ("lost", [], "system lost: no system 'tow' in .*; did you mean 'two'"),
        ("mismatched", [], "system mismatched: kind svm takes one vector .* 'fbank' have a frame"),
        ("one", ["--enrolments", "neutral"], "enrolment 'neutral': expected neutral:N"),
        (
            "two two@train.max_epochs=7",
            ["--enrolments", "all"],
            r"--enrolments: two, two@train.max_epochs=7: enrolment 'all': the system was trained "
            "with enrolment.source none; [^;]*$",
        ),
        ("two", ["--task", "3class"], "no task '3class' in conf; did you mean '2class'"),
        (
            "two@train.max_epochs=1000000000",
            [],
            "max_epochs is 1000000000, expected 10000 at",
        ),
        ("two@train.max_epochs=1e9", [], "train.max_epochs.*1e9"),
        ("two@input.max_seconds=1e9", [], "input.max_seconds is .*, expected 3600 at most"),
        ("two@train.batch_size=65", [], "batch_size is 65, expected 64 at most .the task has 40"),
        ("two@encoder.embed_dim=1000000000", [], "system two@.*: it cannot be built here"),
        ("two", ["--seeds", "1 x"], "--seeds: expected integers of 0 to 4294967295, found 'x'"),
        ("two", ["--seeds", "4294967296"], "--seeds: expected integers .* found '4294967296'"),
        ("two", ["--seeds", "-1"], "--seeds: expected integers of 0 to .*, found '-1'"),
        ("two", ["--seeds", "2 02"], "--seeds: 2 is given twice"),
        ("two", ["--folds", "a b a"], "--folds: a is given twice"),
        ("*", [], "no system '.'"),
        ("two", ["--device", "gpu"], "--device gpu: not available here"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(
    make_plan, tmp_path, systems, options, message
):
    with pytest.raises(ConfigError, match=message):
        make_plan(systems, *options)
    assert not (tmp_path / "exp").exists() and not (tmp_path / "data").exists()


def test_folds_are_known_once_stage_2_has_run(make_plan, tmp_path):
    make_plan("one", "--folds", "x")
    (tmp_path / "data/2class/folds").write_text("01\n02\n")
    make_plan("one", "--folds", "02")
    with pytest.raises(ConfigError, match="no fold 'x'; there are: 01, 02"):
        make_plan("one", "--folds", "x")


def test_augmentation_that_features_do_not_allow(make_plan):
    pytest.importorskip("opensmile")
    with pytest.raises(ConfigError, match="system bent: augment.gain changes log-mels"):
        make_plan("bent")


def test_a_missing_package_is_said_before_the_stages(make_plan, monkeypatch):
    monkeypatch.setitem(sys.modules, "opensmile", None)
    with pytest.raises(ConfigError, match=r"system vectors: openSMILE.*pip install -e '.\[opens"):
        make_plan("vectors")


def test_a_system_that_needs_validation_speakers_is_named_where_there_are_none(make_plan):
    pytest.importorskip("opensmile")
    options = "--task", "2class@folds.validation=none"
    with pytest.raises(ConfigError, match="system two: nobody validates .*train.select best"):
        make_plan("two", *options)
    fitting = "two@train.select=last,train.stop_after=0,train.schedule=one_cycle"
    assert make_plan(f"{fitting} vectors", *options)[0][0].startswith("network two@")


def test_a_bundle_has_a_system_for_each_enrolment(make_plan):
    make_plan("last last_any", "--final", "1")


@pytest.mark.parametrize(
    ("systems", "words"),
    [
        ("last last@train.batch_size=4", "last has enrolment.source none, too"),
        ("last_any two", "two cannot be in the bundle: .*nobody validates"),
        ("heard", "heard cannot be in the bundle: it is transductive"),
        ("adapted", "adapted cannot be in the bundle: it is transductive"),
        ("pair", "pair cannot be in the bundle: it hears a neutral utterance"),
        ("last last_any@features=fbank@num_mel_bins=64", "a bundle has one type of features"),
        ("vectors", "vectors cannot be in the bundle: its decision values"),
    ],
)
def test_what_cannot_be_in_a_bundle_is_refused_before_stage_0(make_plan, systems, words):
    if systems == "vectors":
        pytest.importorskip("opensmile")
    with pytest.raises(ConfigError, match=f"--stage final: .*{words}"):
        make_plan(systems, "--final", "1")


@pytest.mark.parametrize(
    "features, changes, message",
    [
        ("states", "@encoder.finetuned.last_layer=2", "a layer above 2, 6 at most"),
        ("states", "@encoder.finetuned.last_layer=7", "a layer above 2, 6 at most"),
        ("states", "@encoder.finetuned.lora_rank=-1", "lora_rank must be 0 or above, found -1"),
        ("states@layers=[1,2]", "", r"'states@layers=\[1,2\]' have layers \[1, 2\]"),
        ("states@combine=concat,pooling=statistics", "", "are one vector an utterance of kind pre"),
        ("fbank", "", "finetuned reads frames of kind pretrained"),
        (
            "states",
            "@encoder.kind=frames,encoder.finetuned.lora_rank=4",
            "encoder.finetuned is of kind finetuned; encoder.kind is frames",
        ),
    ],
)
def test_layers_of_an_encoder_are_checked(make_plan, tmp_path, features, changes, message):
    pytest.importorskip("transformers")
    pytest.importorskip("peft")
    path = tmp_path / "conf/systems/finetuned.yaml"
    path.write_text(FINETUNED + "features: states\n")
    assert make_plan("finetuned")[0][0] == "network finetuned states -"
    path.write_text(f"{FINETUNED}features: {features}\n")
    with pytest.raises(ConfigError, match=message):
        make_plan(f"finetuned{changes}")
