"""Two recipes compared before models of one meet the other: what is counted, what is refused."""

import base64
import dataclasses
import json

import pytest
from lhotse import AudioSource, Recording, SupervisionSegment

from dsnet.corpus.manifests import write_jsonl
from dsnet.errors import ConfigError, FeatureError, FoldError
from dsnet.features.feats import FeatsInfo
from dsnet.folds.build import build_task
from dsnet.recipe import Recipe
from dsnet.results.classes import RecipeClasses, SharedClasses
from dsnet.results.pair import Side, audit_pair, check_ready, find_side
from dsnet.systems import code_digest
from dsnet.systems.catalog import resolve
from dsnet.task import ReferenceConfig, TaskConfig

CLASSES = {"one": ["angry", "bored", "calm"], "two": ["rage", "rest"]}
SHARED = SharedClasses(
    ["anger", "neutral"],
    {
        "one": RecipeClasses("three", {"angry": "anger", "calm": "neutral"}, ["bored"]),
        "two": RecipeClasses("pair", {"rage": "anger", "rest": "neutral"}),
    },
)


PRINT = base64.b64encode(b"\x64\0\0\0" + b"\x55" * 32).decode()  # of one landmark


def build(side, hashes=None, printed="", **config):
    """Write manifests, a task and feats.json of a recipe of three speakers, two of each class."""
    name, classes = side.recipe.name, CLASSES[side.recipe.name]
    segments = []
    for utt in [f"{s}-{c}-{n}" for s in "abc" for c in classes for n in (1, 2)]:
        speaker, emotion, _ = utt.split("-")
        audio_hash = (hashes or {}).get(utt, f"{name} {utt}")
        custom = {"emotion": emotion, "audio_hash": audio_hash}
        if utt == printed:
            custom["fingerprint"] = PRINT
        segments.append(SupervisionSegment(utt, utt, 0.0, 1.0, speaker=speaker, custom=custom))
    source = [AudioSource("file", [0], "x.wav")]
    recordings = [Recording(s.id, source, 16000, 16000, 1.0) for s in segments]
    write_jsonl(side.recipe.manifests / "recordings.jsonl.gz", recordings)
    write_jsonl(side.recipe.manifests / "supervisions.jsonl.gz", segments)
    neutral = ReferenceConfig(classes[-1], count=1)
    task = TaskConfig(classes, {c: c for c in classes}, references=neutral)
    build_task(task, segments, side.recipe.task(side.task))
    info = FeatsInfo("fbank", "fbank", 40, 10.0, config, name, "", len(segments), 1)
    info.write(side.recipe.features("fbank"))


@pytest.fixture
def sides(tmp_path, monkeypatch):
    """Two recipes beside cross_corpus, where we are."""
    for name in ("one", "two", "cross_corpus"):
        (tmp_path / "egs" / name).mkdir(parents=True)
        (tmp_path / "egs" / name / "run.sh").touch()
    (tmp_path / "egs" / "conf" / "systems").mkdir(parents=True)
    (tmp_path / "egs" / "conf" / "systems" / "base.yaml").write_text("kind: base\n")
    monkeypatch.chdir(tmp_path / "egs" / "cross_corpus")
    both = [find_side(f"--{name}", f"../{name}", SHARED) for name in ("one", "two")]
    for side in both:
        build(side)
    return both


def test_counts_by_hand(sides):
    text = audit_pair(*sides, SHARED, ["fbank"])
    counted = "12 utterances of 3 speakers in the shared classes: anger 6 neutral 6"
    assert text.splitlines() == [
        f"trained on one, three: {counted}",
        "  trained on too, but no answer: bored 6",
        f"tested on two, pair: {counted}",
        "30 utterances without fingerprint, as those of less than 0.6 s: not compared for near "
        "copies",
    ]


def test_other_features_are_refused(sides):
    build(sides[1], preemphasis=0.9)
    with pytest.raises(FeatureError, match="'fbank' of egs/one and egs/two.*preemphasis.*stage 1"):
        audit_pair(*sides, SHARED, ["fbank"])


def test_the_same_audio_is_refused_and_named(sides):
    build(sides[1], {"b-rage-1": "one a-bored-2", "c-rest-2": "one b-calm-1"})
    message = (
        r"2 of 12 utterances of egs/two .* egs/one.*first ten: b-rage-1 \(there a-bored-2\), "
        r"c-rest-2 \(there b-calm-1\)"
    )
    with pytest.raises(FoldError, match=message):
        audit_pair(*sides, SHARED, ["fbank"])
    # the other way round too: of an ignored class, a-bored-2 is not scored, but it is in the task
    with pytest.raises(FoldError, match="2 of 18 utterances of egs/one"):
        audit_pair(*sides[::-1], SHARED, ["fbank"])


def test_a_near_copy_is_refused_and_named(sides):
    build(sides[0], printed="a-bored-1")
    build(sides[1], printed="c-rage-2")
    message = r"1 of 12 utterances of egs/two .* near copy.*first ten: c-rage-2 \(there a-bored-1\)"
    with pytest.raises(FoldError, match=message):
        audit_pair(*sides, SHARED, ["fbank"])


def test_a_class_that_is_not_declared_is_refused(sides):
    ignoring = dataclasses.replace(SHARED.recipes["one"], ignored_labels=[])
    other = dataclasses.replace(SHARED, recipes=SHARED.recipes | {"one": ignoring})
    with pytest.raises(ConfigError, match="class 'bored' of its task three is neither in"):
        audit_pair(*sides, other, ["fbank"])


@pytest.mark.parametrize("folder", ["", "../nowhere", "elsewhere/one", "../conf"])
def test_an_option_that_names_no_recipe(sides, folder):
    with pytest.raises(ConfigError, match="--train: expected a recipe of this project"):
        find_side("--train", folder, SHARED)


def test_what_is_missing_is_named_with_the_command(sides):
    spec = resolve("base", sides[0].recipe.folder)
    with pytest.raises(ConfigError, match=r"(?s)model.pt is missing \(6 of 6.*\n  bash ../one/run.sh --task three --systems base --seeds 1 --stop-stage 3"):  # fmt: skip  # noqa: E501
        check_ready(*sides, [spec], ["1"], [])
    (sides[1].recipe.features("fbank") / "feats.json").unlink()
    with pytest.raises(ConfigError, match=r"(?s)../two/data/fbank/feats.json is missing.*--stop-stage 2"):  # fmt: skip  # noqa: E501
        check_ready(*sides, [spec], ["1"], [])


def test_of_some_folds_only_these_are_asked_for(sides):
    spec = resolve("base", sides[0].recipe.folder)
    with pytest.raises(
        ConfigError, match=r"(?s)model.pt is missing \(2 of 2.*--stop-stage 3 --folds b$"
    ):
        check_ready(*sides, [spec], ["1"], ["b"])
    with pytest.raises(ConfigError, match="--folds: no fold 'bb' of three; .*'b'"):
        check_ready(*sides, [spec], ["1"], ["bb"])


def test_a_recipe_on_itself_is_its_own_stage_4(sides):
    side = Side(Recipe(sides[0].recipe.folder), "three")
    with pytest.raises(ConfigError, match="both egs/one; a recipe on itself"):
        check_ready(side, side, [], ["1"], [])


def test_models_of_another_config_are_refused(sides):
    spec = resolve("base", sides[0].recipe.folder)
    for fold in "abc":
        folder = sides[0].recipe.run("three", "base", 1, fold)
        folder.mkdir(parents=True)
        (folder / "model.pt").touch()
        digests = {"config": spec.digest, "code": code_digest("base")}
        (folder / "train.json").write_text(json.dumps({"digests": digests}))
    check_ready(*sides, [spec], ["1"], [])
    changed = resolve("base@train.max_epochs=3", sides[0].recipe.folder)
    changed = dataclasses.replace(changed, name="base")
    with pytest.raises(
        ConfigError, match=r"(?s)fold_a/train.json: trained with another config.*\n"
    ):
        check_ready(*sides, [changed], ["1"], [])
