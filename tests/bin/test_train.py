"""What training tells TensorBoard, and what it goes on from."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from omegaconf import OmegaConf

from dsnet.bin import job
from dsnet.bin.train import config_text, in_percent, remove_unusable, require_schedule
from dsnet.errors import TrainingError
from dsnet.systems.config import SystemConfig, TrainConfig
from dsnet.training import checkpoint
from dsnet.training.optimizers import make_schedule


def test_rates_are_in_percent_and_losses_are_not():
    entry = {"epoch": 3, "train": {"loss": 0.5}, "dev": {"loss": 1.5, "uar": 0.25, "war": 0.5}}
    shown = in_percent(entry)
    assert shown["dev"] == {"loss": 1.5, "uar": 25.0, "war": 50.0}
    assert shown["train"] == {"loss": 0.5} and shown["epoch"] == 3
    assert entry["dev"]["uar"] == 0.25  # log.jsonl and what is selected by do not change
    assert in_percent({"epoch": 1, "dev": {}})["dev"] == {}  # nobody validates


def test_the_config_is_yaml_that_gives_the_config_again():
    config = SystemConfig()
    text = config_text(SimpleNamespace(config=config))
    head, *lines, end = text.splitlines()
    assert (head, end) == ("```yaml", "```")
    assert OmegaConf.create("\n".join(lines)) == OmegaConf.structured(config)


def test_a_checkpoint_that_nobody_can_use_is_removed_and_others_stay(tmp_path, capsys):
    path = tmp_path / "checkpoint.pt"
    remove_unusable(path)  # there is none
    checkpoint.save(path, {"x": 1})
    remove_unusable(path)
    assert checkpoint.load(path)["x"] == 1
    assert capsys.readouterr().out == ""
    torch.save({"format": checkpoint.FORMAT - 1}, path)  # of a revision before this one
    remove_unusable(path)
    assert not path.exists()
    assert "found 3" in (said := capsys.readouterr().out) and "starting anew" in said
    path.write_bytes(b"half a zip")
    remove_unusable(path)
    assert not path.exists() and "damaged" in capsys.readouterr().out


@pytest.mark.parametrize("epochs", range(1, 9))
@pytest.mark.parametrize("warmup", [0.1, 0.2, 0.25, 0.3, 0.5])
def test_a_warm_up_that_torch_cannot_do_is_refused_and_no_other(epochs, warmup):
    """Of 10 utterances in batches of 5 there are two steps an epoch."""
    config = TrainConfig(schedule="one_cycle", warmup=warmup, max_epochs=epochs, batch_size=5)
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])
    try:
        make_schedule(optimizer, config, 2 * epochs)
    except ZeroDivisionError:
        with pytest.raises(TrainingError, match=f"of {2 * epochs} steps .* is one single step"):
            require_schedule(config, 10)
    else:
        require_schedule(config, 10)


@pytest.mark.parametrize(("system", "device"), [("compare_svm", "cpu"), ("dsnet_small", "cuda")])
def test_linear_systems_are_of_the_cpu_wherever_networks_are(monkeypatch, system, device):
    monkeypatch.setattr(job, "choose_device", lambda name: torch.device("cuda"))
    monkeypatch.setattr(job, "limit_threads", lambda count: None)
    recipe = Path(__file__).parents[2] / "egs" / "emodb"
    options = ["--recipe", str(recipe), "--task", "7class", "--system", system, "--folds", "03"]
    made = job.make_job(job.job_parser("").parse_args(options))
    assert made.device.type == device


@pytest.mark.parametrize(("shift", "sizes"), [(None, [2, 3]), (10.0, [1, 3])])
def test_a_voice_that_is_heard_whole_needs_two_vectors_or_frames(shift, sizes):
    job.require_voices(*voices(shift, sizes))
    info, task, utts = voices(None, [3, 1, 2])
    with pytest.raises(TrainingError, match="1 of 3 speakers have one utterance each, first: s1"):
        job.require_voices(info, task, utts)
    job.require_voices(info, task, [utt for utt in utts if not utt.startswith("s1")])


def voices(shift, sizes):
    """Return what features and a task of so many utterances a speaker say, and its utterances."""
    utt2spk = {f"s{i}-{j}": f"s{i}" for i, size in enumerate(sizes) for j in range(size)}
    info = SimpleNamespace(name="x", frame_shift_ms=shift)
    return info, SimpleNamespace(utt2spk=utt2spk, task_dir=Path("data/t")), list(utt2spk)
