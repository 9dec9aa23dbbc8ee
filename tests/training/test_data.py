"""What a fold loads: its own parts, what it is given beside, and test audio only if declared."""

import pytest
import torch

from dsnet.errors import FeatureError, TrainingError
from dsnet.recipe import Recipe
from dsnet.systems import SYSTEMS, build_system
from dsnet.systems.config import EnrolmentConfig, SystemConfig
from dsnet.training.batches import TrainingSet
from dsnet.training.data import load_training_data
from dsnet.training.fit import vectors
from dsnet.training.inference import predict

CPU = torch.device("cpu")
TESTED = ["a-H-1", "a-H-2", "a-N-1", "a-N-2"]  # in fold a


def load(folder, kind, fold="a", **changes):
    features = "fbank" if SYSTEMS[kind].is_network else "vectors"
    config = SystemConfig(kind=kind, features=features, **changes)
    return load_training_data(Recipe(folder), "task", fold, config, CPU)


def test_what_a_fold_leaves_out_is_no_reference_either(tmp_path, write_stages):
    write_stages(tmp_path, repeated_text="leave_out")
    data = load(tmp_path, "dsnet")
    assert data.train == ["c-H-1", "c-H-2", "c-N-2"]
    assert data.references == {"c-H-1": ["c-N-2"], "c-H-2": ["c-N-2"], "c-N-2": []}
    other = load(tmp_path, "dsnet", fold="b")
    # fold b validates with c, whose sentence a, in training, has too
    assert other.references["a-H-1"] == ["a-N-2"]


def test_what_a_fold_leaves_out_enrols_nobody_in_training(tmp_path, write_stages):
    write_stages(tmp_path, repeated_text="leave_out", speakers="abcd", takes=3)
    data = load(tmp_path, "base", enrolment=EnrolmentConfig("neutral"))
    assert "c-N-1" not in data.train and "c-N-2" in data.train
    utts = ["c-H-1", "c-N-2", "d-H-1", "b-H-1"]
    assert data.normalisation.num_pools[data.frames.positions(utts)].tolist() == [2, 1, 3, 3]


@pytest.mark.parametrize("kind", SYSTEMS)
def test_a_fold_knows_no_test_utterance_unless_that_is_declared(tmp_path, write_stages, kind):
    write_stages(tmp_path)
    data = load(tmp_path, kind)
    tested = set(TESTED)
    validated = {utt.replace("a", "b") for utt in tested}
    transductive = kind == "dat_transductive"
    assert set(data.unlabelled) == (tested | validated if transductive else set())
    assert not set(data.labels) & tested  # never
    read = {*data.train, *data.dev, *(ref for refs in data.references.values() for ref in refs)}
    assert not read & tested
    assert data.train_speakers == ["c"] and set(data.speakers.values()) == {"c"}


@pytest.mark.parametrize("source", ["none", "neutral", "all"])
@pytest.mark.parametrize("kind", ["base", "dsc", "dat_transductive"])
def test_other_test_audio_makes_a_difference_only_where_it_is_declared(
    tmp_path, write_stages, replace_audio, make_config, kind, source
):
    recipe, config = write_stages(tmp_path), make_config(kind)
    config.enrolment = EnrolmentConfig(source)

    def heard():
        """Return all that training hears: labelled and dev utterances, unlabelled ones."""
        data = load_training_data(recipe, "task", "a", config, CPU)
        torch.manual_seed(0)
        system = build_system(config, data.frames.info, 2, 2)
        asked = (data.frames, data.dev, data.references, config, data.normalisation)
        labelled, unlabelled = [predict(system, *asked).logits], []
        training_set = TrainingSet(data, config)
        for seed in range(4):
            for batch in training_set.epoch(torch.Generator().manual_seed(seed), system):
                labelled += [batch.feats, batch.neutral_feats]
                unlabelled.append(batch.unlabelled_feats)
        return [[x.clone() for x in part if x is not None] for part in (labelled, unlabelled)]

    before, unlabelled_before = heard()
    replace_audio(recipe, "fbank", TESTED)
    after, unlabelled_after = heard()
    assert all(torch.equal(x, y) for x, y in zip(before, after, strict=True))
    same = [torch.equal(x, y) for x, y in zip(unlabelled_before, unlabelled_after, strict=True)]
    assert all(same) == (kind != "dat_transductive")


def test_vectors_of_a_fold_are_those_of_its_utterances(tmp_path, write_stages):
    write_stages(tmp_path)
    data = load(tmp_path, "svm")
    found = vectors(data, [*data.dev, *data.train])
    expected = torch.cat([data.frames.whole(utt) for utt in [*data.dev, *data.train]])
    assert torch.equal(found, expected.double())
    # c-H-1 minus the mean of c's two neutral utterances
    shifted = load(tmp_path, "svm", enrolment=EnrolmentConfig("neutral", 2, "shift"))
    calm = torch.cat([data.frames.whole(f"c-N-{n}") for n in (1, 2)]).double().mean(0)
    wanted = data.frames.whole("c-H-1")[0].double() - calm
    torch.testing.assert_close(vectors(shifted, ["c-H-1"])[0], wanted, atol=1e-6, rtol=0)


def test_validation_has_the_references_of_its_own_speaker(tmp_path, write_stages):
    write_stages(tmp_path)
    data = load(tmp_path, "dsc")
    first = {utt: data.references[utt][0] for utt in data.dev}
    assert first == {"b-H-1": "b-N-1", "b-H-2": "b-N-1", "b-N-1": "b-N-2", "b-N-2": "b-N-1"}
    assert "b-H-1" not in load(tmp_path, "isnet").references  # predicts without


def test_a_missing_reference_is_named_before_training(tmp_path, write_stages):
    write_stages(tmp_path, count=1)  # N-1 serves, and has nobody to serve itself
    with pytest.raises(TrainingError, match=r"3 of 12 .*first: c-N-1, b-N-1, a-N-1\. Set refer"):
        load(tmp_path, "dsc")
    assert load(tmp_path, "dsnet").references["c-N-1"] == []


def test_a_test_speaker_without_enrolment_is_named_before_training(tmp_path, write_stages):
    recipe = write_stages(tmp_path)
    lists = {"neutral2spk": "{0}-N-1 {0}\n", "spk2neutral": "{0} {0}-N-1\n"}
    for name, line in lists.items():
        (recipe.task("task") / name).write_text("".join(line.format(spk) for spk in "abc"))
    with pytest.raises(TrainingError, match=r"first: b-N-1, a-N-1\. Set references.if_missing"):
        load(tmp_path, "base", enrolment=EnrolmentConfig("neutral"))


def test_utterances_without_features_are_named_before_training(tmp_path, write_stages):
    recipe = write_stages(tmp_path)
    counts = recipe.features("fbank") / "utt2num_frames"
    counts.write_text(counts.read_text().replace("c-H-2", "stranger"))
    with pytest.raises(FeatureError, match="data/fbank: no features of 1 of 8 .*first: c-H-2; run"):
        load(tmp_path, "base")
