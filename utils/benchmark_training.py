"""Seconds an epoch of several systems, measured batch by batch in turn.

Usage, in a recipe: python ../../utils/benchmark_training.py --task 7class --fold 03 \\
                      --systems "dsnet dsnet_variable"

Each round takes one training step of every system, so that a machine that slows down slows all of
them; an epoch is the median step times the steps of an epoch. Nothing is written. --plain begins
with the published system as a short, plain PyTorch loop (plain_loop.py), on noise; the ratio of
each is the median over rounds to the first.
"""

import argparse
import time
from pathlib import Path
from statistics import median

import torch
from plain_loop import plain_steps

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
    parser.add_argument("--plain", action="store_true", help="against a plain loop of 6 s")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--num-threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.num_threads)
    keep_freed_memory()
    device = choose_device(args.device)
    if args.plain and device.type != "cpu":
        parser.error(f"--plain is a loop on the CPU, --device is {device}; set --device cpu")
    trainers: dict[str, Trainer] = {}
    for name in args.systems.split():
        config = resolve(name).config
        data = load_training_data(Recipe(), args.task, args.fold, config, device)
        trainers[name] = Trainer(config, data, 1, Path())
    epochs = {name: steps(trainer) for name, trainer in trainers.items()}
    batches = {name: trainer.train_set.num_batches for name, trainer in trainers.items()}
    if args.plain:
        first = next(iter(trainers))
        epochs = {"plain loop": plain_steps(trainers[first].config.train.batch_size), **epochs}
        batches["plain loop"] = batches[first]
    seconds: dict[str, list[float]] = {name: [] for name in epochs}
    for number in range(args.steps + 1):
        for name, epoch in epochs.items():
            begin = time.perf_counter()
            next(epoch)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if number:  # the first step warms up
                seconds[name].append(time.perf_counter() - begin)
    first = next(iter(seconds.values()))
    for name, taken in seconds.items():
        step = median(taken)
        ratio = median(a / b for a, b in zip(taken, first, strict=True))
        epoch = step * batches[name]
        print(
            f"{name:24} {step:8.3f} s a step  {epoch:8.1f} s an epoch  x {ratio:.2f}  "
            f"(steps {min(taken):.3f} to {max(taken):.3f} s, {args.num_threads} "
            f"threads, {device})"
        )


def steps(trainer: Trainer):
    """Yield after every training step, epoch after epoch."""
    generator = torch.Generator().manual_seed(0)
    trainer.system.train()
    while True:
        for batch in trainer.train_set.epoch(generator, trainer.system):
            with trainer._precision():
                trainer.system.step(batch, trainer.update)
            yield


if __name__ == "__main__":
    run(main)
