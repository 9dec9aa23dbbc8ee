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
    sizes = data.normalisation.sizes[data.normalisation.pool_of[data.frames.positions(utts)]]
    assert sizes.tolist() == [2, 2, 3, 3]


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


@pytest.mark.parametrize("source", ["none", "neutral", "any", "all"])
@pytest.mark.parametrize("kind", ["base", "dsc", "dat_transductive"])
def test_other_test_audio_makes_a_difference_only_where_it_is_declared(
    tmp_path, write_stages, replace_audio, make_config, kind, source
):
    recipe, config = write_stages(tmp_path), make_config(kind)
    config.enrolment = EnrolmentConfig(source, count=2)

    def heard():
        """Return all that training hears: labelled and dev utterances, unlabelled ones."""
        data = load_training_data(recipe, "task", "a", config, CPU)
        torch.manual_seed(0)
        system = build_system(config, data.frames.info, 2, 2)
        asked = (data.frames, data.dev, data.dev_references, config, data.normalisation)
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
    # of one training speaker nothing is known of how speakers differ: the enrolment is believed
    enrolment = EnrolmentConfig("neutral", 2, "shift")
    shifted = load(tmp_path, "svm", enrolment=enrolment)
    calm = {
        spk: torch.cat([data.frames.whole(f"{spk}-N-{n}") for n in (1, 2)]).double().mean(0)
        for spk in "bc"
    }
    wanted = data.frames.whole("b-H-1")[0].double() - calm["b"] + calm["c"]
    torch.testing.assert_close(vectors(shifted, ["b-H-1"])[0], wanted, atol=1e-5, rtol=0)
    assert shifted.dev == ["b-H-1", "b-H-2"]  # what is given is not scored


def test_validation_has_the_first_reference_of_its_own_speaker(tmp_path, write_stages):
    write_stages(tmp_path)
    data = load(tmp_path, "dsc")
    assert set(data.dev_references.values()) == {"b-N-1"}
    assert data.dev == ["b-H-1", "b-H-2", "b-N-2"]  # it is not scored
    assert load(tmp_path, "isnet").dev_references == {}  # predicts without


def test_a_test_speaker_who_would_not_be_scored_is_named_before_training(tmp_path, write_stages):
    write_stages(tmp_path)
    with pytest.raises(TrainingError, match="any:4: speaker '[ab]' has 4 utterances in the task"):
        load(tmp_path, "base", enrolment=EnrolmentConfig("any", 4))


def test_utterances_without_features_are_named_before_training(tmp_path, write_stages):
    recipe = write_stages(tmp_path)
    for name in ("utt2num_frames", "utt2crc32"):
        path = recipe.features("fbank") / name
        path.write_text(path.read_text().replace("c-H-2", "stranger"))
    with pytest.raises(FeatureError, match="data/fbank: no features of 1 of 8 .*first: c-H-2; run"):
        load(tmp_path, "base")
