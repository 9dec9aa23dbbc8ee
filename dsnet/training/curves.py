"""Learning curves for TensorBoard."""

from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter


class CurveWriter(SummaryWriter):
    """Writes log entries; what a killed run wrote after epoch `epochs_done` is hidden."""

    def __init__(self, folder: Path, epochs_done: int):
        super().__init__(str(folder), purge_step=epochs_done + 1)

    def write(self, entry: dict[str, Any]) -> None:
        """Add the log entry of one epoch."""
        for part in ("train", "dev"):
            for name, value in entry[part].items():
                self.add_scalar(f"{part}/{name}", value, entry["epoch"])
        self.add_scalar("learning_rate", entry["learning_rate"], entry["epoch"])
