"""Time and memory of `dsnet predict`, and of ONNX if its packages are there.

Usage: python utils/benchmark_predict.py [--model BUNDLE] [--hours 1]

On sounds made here, one thread: a first answer from the shell on 3 s, as its own process; a 3 s
clip in a process that is warm, torch and ONNX in turn; a long recording in windows of 3 s, every
second, from the shell. Writes into a temporary folder.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import soundfile
import torch

from dsnet.recognizer.recognizer import Recognizer

RATE = 16000
ROUNDS = 50


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="emodb-small", help="(%(default)s)")
    parser.add_argument("--encoder", help="folder of the encoder that it needs")
    parser.add_argument("--hours", type=float, default=1.0, help="long recording (%(default)s)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    options = ["--model", args.model, *(["--encoder", args.encoder] if args.encoder else [])]
    with tempfile.TemporaryDirectory() as folder:
        short, long = Path(folder, "short.wav"), Path(folder, "long.wav")
        samples = noise(3.0)
        soundfile.write(short, samples, RATE)
        for number in range(3):
            shell(f"first answer on 3 s, {number + 1}", [*options, str(short)])
        warm(samples, args, Path(folder, "model.onnx"))
        soundfile.write(long, np.tile(noise(60.0), round(60 * args.hours)), RATE)
        words = [*options, "--windows", "3", "--hop", "1", "--format", "csv", str(long)]
        shell(f"{args.hours:g} h in windows of 3 s, every second", words)


def noise(seconds: float) -> np.ndarray:
    """Return (N,) float32 in [-1, 1] that is loud and quiet in turn."""
    time_axis = np.arange(round(seconds * RATE)) / RATE
    values = np.random.default_rng(0).normal(0, 0.1, len(time_axis))
    return (values * np.abs(np.sin(5 * time_axis))).clip(-1, 1).astype("float32")


def shell(what: str, words: list[str]) -> None:
    """Time `dsnet predict` as a process of its own."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "dsnet", "predict", *words], stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    cpu = usage.ru_utime + usage.ru_stime
    memory = usage.ru_maxrss / 1024
    print(f"{what}: {seconds:.2f} s, {cpu:.2f} s of CPU, {memory:.0f} MiB (status {status})")


def warm(samples: np.ndarray, args: argparse.Namespace, path: Path) -> None:
    """Time one clip in this process, each way in turn."""
    recognizer = Recognizer.load(args.model, args.encoder)
    ways = {"torch": lambda: recognizer(samples, RATE)}
    try:
        ways["onnxruntime"] = onnx_session(args.model, samples, path)
    except (ImportError, subprocess.CalledProcessError) as error:
        print(f"without ONNX: {error}")
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(ROUNDS + 3):
        for name, call in ways.items():
            begin = time.perf_counter()
            call()
            if number >= 3:  # the first warm up
                seconds[name].append(time.perf_counter() - begin)
    for name, values in seconds.items():
        print(f"warm clip of 3 s, {name}: {1000 * median(values):.1f} ms")


def onnx_session(model: str, samples: np.ndarray, path: Path):
    """Export the model; return a function that runs it."""
    import onnxruntime

    words = ["export", str(path), "--model", model]
    subprocess.run([sys.executable, "-m", "dsnet", *words], check=True, stdout=subprocess.DEVNULL)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"samples": samples[None]})


if __name__ == "__main__":
    main()
