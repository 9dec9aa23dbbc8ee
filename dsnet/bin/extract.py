"""Stage 1, one job: one type of features of the job's share of the utterances."""

import argparse
from pathlib import Path

from dsnet.bin import run
from dsnet.environment import choose_device, limit_threads
from dsnet.features import build_extractor
from dsnet.features.extract import compute_shard


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--features", required=True, help="conf/features/<name>.yaml: fbank")
    parser.add_argument("--job", type=int, default=1, help="this job, from 1")
    parser.add_argument("--num-jobs", type=int, default=1, help="number of jobs")
    parser.add_argument("--device", default="cpu", help="auto, cpu or cuda:N, for encoders")
    parser.add_argument("manifest_dir", type=Path)
    parser.add_argument("feats_dir", type=Path)
    args = parser.parse_args()
    limit_threads(1)  # the jobs are the parallelism
    extractor = build_extractor(args.features).to(choose_device(args.device))
    computed, total = compute_shard(
        args.manifest_dir, args.feats_dir, extractor, args.job, args.num_jobs
    )
    print(
        f"job {args.job} of {args.num_jobs}: {computed} of {total} utterances computed, "
        f"{total - computed} were there"
    )


if __name__ == "__main__":
    run(main)
