"""Write a model as an ONNX file, which onnxruntime runs without this package.

It goes from samples to probabilities: log-mels, normalisation by what is known of the speaker and
temperature are inside. The file says of itself what its inputs are (doc_string), and has classes
and sampling rate (metadata_props). With --given neutral or any it takes statistics of the speaker's
clips, too, as `dsnet enrol` measures them.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from dsnet.environment import limit_threads
from dsnet.errors import BundleError
from dsnet.recognizer.bundle import MEMBERS, find_bundle, read_bundle
from dsnet.recognizer.onnx import check_exportable, export_onnx
from dsnet.recognizer.recognizer import Recognizer


def main(program: str, words: Sequence[str]) -> int:
    """Export a model; say how far the file is from it."""
    parser = argparse.ArgumentParser(program, description=__doc__, allow_abbrev=False)
    parser.add_argument("out", type=Path, metavar="OUT.onnx", help="a new file")
    parser.add_argument("--overwrite", action="store_true", help="OUT.onnx, if it is there")
    parser.add_argument(
        "--model",
        default="emodb-small",
        help="a bundle's folder or zip file, or a model of the package (%(default)s)",
    )
    parser.add_argument(
        "--given",
        choices=MEMBERS,
        default="none",
        help="which clips of the speaker will be given with a recording (%(default)s)",
    )
    args = parser.parse_args(words)
    check_out(args.out, args.overwrite)
    limit_threads(1)
    bundle = read_bundle(find_bundle(args.model))
    check_exportable(bundle, args.given)  # before a pretrained encoder is asked for
    try:
        difference = export_onnx(Recognizer(bundle), args.given, args.out)
    except OSError as error:
        raise BundleError(f"{args.out}: cannot be written: {error.strerror or error}") from error
    print(
        f"{args.out}: {bundle.name} ({bundle.id}), given {args.given}: {', '.join(bundle.classes)}"
    )
    if difference is None:
        print("note: not compared with the model: onnxruntime is not installed", file=sys.stderr)
    else:
        print(f"onnxruntime and the model differ by {difference:.1g} at most, of probabilities")
    return 0


def check_out(out: Path, overwrite: bool) -> None:
    """Raise BundleError for a file that must not be written, before anything is loaded."""
    if out.is_dir():
        raise BundleError(f"{out} is a folder; name a file, such as {out / 'model.onnx'}")
    if out.exists() and not overwrite:
        raise BundleError(f"{out} exists; choose another name, or give --overwrite")
