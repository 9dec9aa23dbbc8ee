"""Seconds an epoch of several systems, measured batch by batch in turn.

Usage, in a recipe: python ../../utils/benchmark_training.py --task 7class --fold 03 \\
                      --systems "dsnet dsnet_variable"

Each round takes one training step of every system, so that a machine that slows down slows all of
them; an epoch is the median step times the steps of an epoch. Nothing is written.
"""

import argparse
import time
from pathlib import Path
from statistics import median

import torch

from dsnet.bin import run
from dsnet.environment import choose_device, keep_freed_memory
from dsnet.recipe import Recipe
from dsnet.systems.catalog import resolve
from dsnet.training.data import load_training_data
from dsnet.training.loop import Trainer


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--task", required=True, help="such as 7class")
    parser.add_argument("--systems", required=True, help="such as 'dsnet dsnet_variable'")
    parser.add_argument("--fold", required=True)
    parser.add_argument("--steps", type=int, default=5, help="of each config (%(default)s)")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--num-threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.num_threads)
    keep_freed_memory()
    device = choose_device(args.device)
    trainers = {}
    for name in args.systems.split():
        config = resolve(name).config
        data = load_training_data(Recipe(), args.task, args.fold, config, device)
        trainers[name] = Trainer(config, data, 1, Path())
    seconds = {name: [] for name in trainers}
    epochs = {name: steps(trainer) for name, trainer in trainers.items()}
    for number in range(args.steps + 1):
        for name, epoch in epochs.items():
            begin = time.perf_counter()
            next(epoch)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if number:  # the first step warms up
                seconds[name].append(time.perf_counter() - begin)
    first = None
    for name, trainer in trainers.items():
        step = median(seconds[name])
        epoch = step * trainer.train_set.num_batches
        first = first or epoch
        print(
            f"{name:24} {step:8.3f} s a step  {epoch:8.1f} s an epoch  x {epoch / first:.2f}  "
            f"(steps {min(seconds[name]):.3f} to {max(seconds[name]):.3f} s, {args.num_threads} "
            f"threads, {device})"
        )


def steps(trainer: Trainer):
    """Yield after every training step, epoch after epoch."""
    generator = torch.Generator().manual_seed(0)
    trainer.system.train()
    while True:
        for batch in trainer.train_set.epoch(generator, trainer.system):
            trainer.system.step(batch, trainer.update)
            yield


if __name__ == "__main__":
    run(main)
