"""Stage 1, after all jobs: one list of features, Lhotse cuts, and the feature store."""

import argparse
from pathlib import Path

from dsnet.bin import run
from dsnet.features import build_extractor
from dsnet.features.combine import combine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--features", required=True, help="conf/features/<name>.yaml: fbank")
    parser.add_argument("manifest_dir", type=Path)
    parser.add_argument("feats_dir", type=Path)
    args = parser.parse_args()
    extractor = build_extractor(args.features)
    info = combine(args.manifest_dir, args.feats_dir, extractor)
    speeds = ", ".join(f"{speed:g}" for speed in info.all_speeds)
    at = f" at speeds {speeds}" if len(info.all_speeds) > 1 else ""
    print(
        f"{args.feats_dir}: {info.num_utterances} utterances{at}, {info.num_frames} frames of "
        f"{info.dim} dimensions, digest {info.digest}"
    )


if __name__ == "__main__":
    run(main)
