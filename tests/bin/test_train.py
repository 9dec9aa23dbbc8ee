"""What training tells TensorBoard."""

from types import SimpleNamespace

from omegaconf import OmegaConf

from dsnet.bin.train import config_text, in_percent
from dsnet.systems.config import SystemConfig


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
