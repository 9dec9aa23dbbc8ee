"""Stage 0 from a Kaldi data directory with utt2emo: write checked Lhotse manifests."""

import argparse
from pathlib import Path

from dsnet.bin import run
from dsnet.corpus.kaldi_data import read_kaldi
from dsnet.corpus.prepare import add_arguments, options, prepare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("kaldi_dir", type=Path, help="holds wav.scp, utt2spk, utt2emo")
    add_arguments(parser)
    args = parser.parse_args()
    prepare(read_kaldi(args.kaldi_dir), args.manifest_dir, **options(args))


if __name__ == "__main__":
    run(main)
