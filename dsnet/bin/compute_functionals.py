"""Functionals of every utterance of a corpus, for the classical systems; needs openSMILE.

Computes nothing if <folder>/<set>.npz is there for this very audio.
"""

import argparse
from pathlib import Path

from dsnet.bin import run
from dsnet.features.functionals import FEATURE_SETS, Functionals, compute_functionals


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--set", choices=FEATURE_SETS, required=True, help="which functionals")
    parser.add_argument("--nj", type=int, default=1, help="threads (%(default)s)")
    parser.add_argument("manifest_dir", type=Path, help="folder of stage 0: data/manifests")
    parser.add_argument("functionals_dir", type=Path, help="folder to write: data/opensmile")
    args = parser.parse_args()
    computed = compute_functionals(args.manifest_dir, args.functionals_dir, args.set, args.nj)
    found = Functionals.load(args.functionals_dir, args.set)
    num_utterances, num_functionals = found.values.shape
    print(
        f"{args.functionals_dir}: {num_utterances} utterances, {num_functionals} functionals "
        f"({FEATURE_SETS[args.set]}), {'computed' if computed else 'were there'}, "
        f"digest {found.digest}"
    )


if __name__ == "__main__":
    run(main)
