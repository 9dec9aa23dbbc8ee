"""Stage 1, after all jobs: one list of features, and Lhotse cuts."""

import argparse
from pathlib import Path

from dsnet.bin import run
from dsnet.config import load
from dsnet.features.combine import combine
from dsnet.features.fbank import FbankConfig


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--config", required=True, help="conf/fbank.yaml")
    parser.add_argument("--num-jobs", type=int, default=1, help="number of jobs that ran")
    parser.add_argument("manifest_dir", type=Path)
    parser.add_argument("feats_dir", type=Path)
    args = parser.parse_args()
    info = combine(args.manifest_dir, args.feats_dir, load(args.config, FbankConfig), args.num_jobs)
    print(
        f"{args.feats_dir}: {info.num_utterances} utterances, {info.num_frames} frames of "
        f"{info.num_mel_bins} mel bins, digest {info.digest}"
    )


if __name__ == "__main__":
    run(main)
