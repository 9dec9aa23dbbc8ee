"""Write a model as one ONNX file: samples in, probabilities out, features inside.

It runs in onnxruntime alone. Its input `samples` (batch, length) is float32 in [-1, 1] at the
sampling rate that the file's metadata names, as they name the classes. With --given neutral or any
it also takes what is known of the speaker; see dsnet/recognizer/onnx.py.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from dsnet.environment import limit_threads
from dsnet.errors import BundleError
from dsnet.recognizer.bundle import MEMBERS
from dsnet.recognizer.onnx import export
from dsnet.recognizer.recognizer import Recognizer


def main(program: str, words: Sequence[str]) -> int:
    """Export a member of a bundle."""
    parser = argparse.ArgumentParser(program, description=__doc__, allow_abbrev=False)
    parser.add_argument("file", type=Path, help="such as model.onnx")
    parser.add_argument(
        "--model", default="emodb-small", help="a bundle, or a model of the package (%(default)s)"
    )
    parser.add_argument("--given", choices=MEMBERS, default="none", help="(%(default)s)")
    parser.add_argument("--overwrite", action="store_true", help="a file that is there")
    args = parser.parse_args(words)
    if args.file.exists() and not args.overwrite:
        raise BundleError(f"{args.file} exists; choose another name, or give --overwrite")
    if not args.file.parent.is_dir():
        raise BundleError(f"{args.file.parent}: no such folder")
    limit_threads(1)
    difference = export(Recognizer.load(args.model), args.given, args.file)
    size = args.file.stat().st_size / 1e6
    checked = (
        f"probabilities within {difference:.0e} of the model's"
        if difference == difference
        else "not compared with the model, since onnxruntime is not installed"
    )
    print(f"{args.file}: {size:.1f} MB, {checked}")
    return 0
