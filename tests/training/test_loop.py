"""The loop: resumption to the bit, schedule, selection, and what it refuses."""

import json

import pytest
import torch

from dsnet.errors import TrainingError
from dsnet.systems import SYSTEMS
from dsnet.systems.config import LossConfig
from dsnet.training import checkpoint
from dsnet.training.inference import predict
from dsnet.training.loop import MODEL, Trainer, epoch_seed

NETWORKS = [kind for kind, system in SYSTEMS.items() if system.is_network]


class Killed(Exception):
    pass


def weights(folder):
    return checkpoint.load(folder / MODEL)["model"]


def train(config, fold, folder, stop_after_epoch=None, seed=1):
    def report(entry):
        if entry["epoch"] == stop_after_epoch:
            raise Killed

    trainer = Trainer(config, fold, seed, folder)
    trainer.resume()
    return trainer.run(report)


AUGMENT = {"tempo": 0.2, "vocal_tract": 0.1, "gain": 1.0, "time_masks": 1}


@pytest.mark.parametrize(
    "kind, schedule, select, mode",
    [("dsnet", "plateau", "best", "variable")]
    + [(kind, "one_cycle", "last", "crop") for kind in NETWORKS],
)
def test_a_resumed_run_ends_with_the_same_bits(
    fold, make_config, tmp_path, kind, schedule, select, mode
):
    augment = AUGMENT | {"mixup": 0.3 if mode == "crop" else 0.0}
    config = make_config(kind, mode, 8, augment, schedule=schedule, select=select, patience=1)
    whole = train(config, fold, tmp_path / "whole")
    for epoch in (1, 3):
        with pytest.raises(Killed):
            train(config, fold, tmp_path / "killed", stop_after_epoch=epoch)
    resumed = train(config, fold, tmp_path / "killed")
    first, second = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    for entry in (*whole.history, *resumed.history):
        del entry["seconds"]
    assert whole.history == resumed.history
    lines = (tmp_path / "killed" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3, 4]


def test_another_seed_or_fold_or_purpose_draws_other_numbers():
    seeds = {
        epoch_seed(seed, fold, epoch, what)
        for seed in (1, 2)
        for fold in ("1", "11")
        for epoch in (0, 1, 11)
        for what in ("network", "data")
    }
    assert len(seeds) == 24


def test_dropout_does_not_draw_the_numbers_that_deal_the_data(fold, make_config, tmp_path):
    """Of one epoch, both generators: the first numbers of each differ."""
    states = []

    class Spy(Trainer):
        def _train_epoch(self):
            states.append(torch.rand(5, generator=torch.default_generator.clone_state()))
            return super()._train_epoch()

    trainer = Spy(make_config(max_epochs=1), fold, 1, tmp_path)
    original = trainer.train_set.epoch

    def epoch(generator, system):
        states.append(torch.rand(5, generator=generator.clone_state()))
        return original(generator, system)

    trainer.train_set.epoch = epoch
    trainer.run(lambda entry: None)
    assert len(states) == 2 and not torch.equal(*states)


def test_a_checkpoint_of_another_config_is_not_resumed(fold, make_config, tmp_path, capsys):
    with pytest.raises(Killed):
        train(make_config(), fold, tmp_path, stop_after_epoch=2)
    progress = train(make_config(learning_rate=0.5), fold, tmp_path)
    assert progress.history[0]["learning_rate"] == 0.5
    assert "train.learning_rate 0.001 -> 0.5); starting anew" in capsys.readouterr().out


def test_published_schedule(fold, make_config, tmp_path, monkeypatch):
    """Rate x0.1 after `patience` epochs that are not better, end after `stop_after`."""
    config = make_config(kind="base", max_epochs=80, patience=3, stop_after=5)
    uars = iter([0.5, 0.6, *[0.6] * 80])  # epoch 2 is the best; an equal one is not better
    monkeypatch.setattr(Trainer, "_validate", lambda self: {"uar": next(uars)})
    progress = train(config, fold, tmp_path)
    rates = [entry["learning_rate"] for entry in progress.history]
    assert rates == pytest.approx([1e-3] * 5 + [1e-4] * 2)
    assert progress.best_epoch == 2 and progress.epoch == 7
    assert checkpoint.load(tmp_path / MODEL)["epoch"] == 2


def test_one_cycle_rises_and_falls_over_all_epochs(fold, make_config, tmp_path):
    config = make_config(kind="base", schedule="one_cycle", max_epochs=6, warmup=0.5, select="last")
    rates = [e["learning_rate"] for e in train(config, fold, tmp_path).history]
    assert rates[:4] == sorted(rates[:4]) and rates[3:] == sorted(rates[3:], reverse=True)
    assert checkpoint.load(tmp_path / MODEL)["epoch"] == 6


def test_logged_losses_are_means_over_utterances(fold, make_config, tmp_path, monkeypatch):
    trainer = Trainer(make_config(kind="base", batch_size=6), fold, 1, tmp_path)  # 6 5 5 5
    monkeypatch.setattr(
        trainer.system,
        "step",
        lambda batch, update: {"loss": torch.tensor(float(len(batch.targets)))},
    )
    assert trainer._train_epoch()["loss"] == pytest.approx((6 * 6 + 3 * 5 * 5) / 21)


def test_gradient_norm_is_clipped(fold, make_config, tmp_path):
    trainer = Trainer(make_config(kind="base", max_grad_norm=0.01), fold, 1, tmp_path)
    trainer.train_set.config.train.batch_size = 21
    batch = next(iter(trainer.train_set.epoch(torch.Generator(), trainer.system)))
    trainer.system.step(batch, trainer.update)
    norm = torch.stack([p.grad.norm() for p in trainer.system.parameters()]).norm()
    assert norm == pytest.approx(0.01, rel=1e-3)


def test_a_loss_that_is_not_finite_stops_with_advice(fold, make_config, tmp_path):
    fold.frames.frames[3] = float("nan")
    with pytest.raises(TrainingError, match=r"epoch 1.*Lower train.learning_rate"):
        train(make_config(), fold, tmp_path)
    assert not (tmp_path / MODEL).exists()


def test_the_number_of_speakers_is_that_of_the_training_part(fold, make_config, tmp_path):
    fold.speakers = {utt: f"speaker {i % 5}" for i, utt in enumerate(fold.train)}
    config = make_config("menan", max_epochs=1)
    trainer = Trainer(config, fold, 1, tmp_path)
    assert fold.train_speakers == [f"speaker {i}" for i in range(5)]
    assert trainer.system.speaker_classifier[-1].out_features == 5
    train(config, fold, tmp_path)
    loaded, _ = checkpoint.load_model(tmp_path / MODEL)
    # each of 21 utterances was seen once, 5 of the first speaker and 4 of the others
    assert (loaded.utterances_seen - 1).tolist() == [5, 4, 4, 4, 4]


def test_balance_takes_the_shares_of_the_training_part(fold, make_config, tmp_path):
    fold.labels = {utt: int(i < 3) for i, utt in enumerate([*fold.train, *fold.dev])}
    config = make_config(kind="base")
    assert Trainer(config, fold, 1, tmp_path).system.class_offsets is None
    config.losses.balance = 0.5
    num = len(fold.classes)
    total = 21 + num - 2  # a class without utterances counts as one
    shares = [18 / total, 3 / total, *[1 / total] * (num - 2)]
    found = Trainer(config, fold, 1, tmp_path).system.class_offsets
    torch.testing.assert_close(found, 0.5 * torch.tensor(shares).log())


@pytest.mark.parametrize("balance", [-0.1, 1.1, float("nan")])
def test_balance_is_a_share(balance):
    with pytest.raises(ValueError, match=r"losses\.balance must be between 0 and 1"):
        LossConfig(balance=balance).check()


def test_the_loop_learns(fold, make_config, tmp_path):
    config = make_config(kind="base", max_epochs=20, learning_rate=0.01, embed_dim=32)
    assert train(config, fold, tmp_path).best_uar > 0.9


def test_predictions_come_in_the_order_asked_for(fold, make_config, tmp_path):
    trainer = Trainer(make_config(), fold, 1, tmp_path)
    ids = fold.train + fold.dev
    together = predict(trainer.system, fold.frames, ids, {}, trainer.config, batch_size=8)
    for i, utt in enumerate(ids):
        alone = predict(trainer.system, fold.frames, [utt], {}, trainer.config)
        torch.testing.assert_close(together.logits[i : i + 1], alone.logits)
        torch.testing.assert_close(together.embeddings["e"][i : i + 1], alone.embeddings["e"])


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("mode", ["fixed", "variable"])
def test_bfloat16_on_a_cpu_is_close_to_float32(fold, make_config, tmp_path, kind, mode):
    """Losses of the first epoch; weights and running statistics stay float32."""
    losses = []
    for bfloat16 in (False, True):
        config = make_config(kind, mode, 8, max_epochs=1, bfloat16_on_cpu=bfloat16)
        folder = tmp_path / str(bfloat16)
        entry = train(config, fold, folder).history[0]["train"]
        losses.append([entry["loss"], entry["task"]])
        kept = weights(folder).values()
        assert not any(x.dtype == torch.bfloat16 for x in kept)
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


def test_a_cpu_computes_in_float32_unless_it_is_told_otherwise(fold, make_config, tmp_path):
    config = make_config("dsnet", "fixed", 8, max_epochs=1)
    assert not Trainer(config, fold, 1, tmp_path)._precision()._enabled
