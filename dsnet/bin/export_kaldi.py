"""Write a Kaldi data directory (wav.scp, utt2spk, utt2emo, ...) from manifests and features."""

import argparse
import os
from pathlib import Path

from dsnet.bin import run
from dsnet.corpus.kaldi_data import export_kaldi, read_list
from dsnet.corpus.manifests import read_manifests
from dsnet.features.feats import FeatsInfo, read_feats_scp


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--manifests", type=Path, required=True, help="data/manifests")
    parser.add_argument("--feats", type=Path, help="data/fbank: write feats.scp too")
    parser.add_argument("--task", type=Path, help="data/<task>: its utterances and classes only")
    parser.add_argument("out_dir", type=Path)
    args = parser.parse_args()
    recordings, supervisions = read_manifests(args.manifests)
    feats = read_feats_scp(args.feats / "feats.scp") if args.feats else None
    number = export_kaldi(
        recordings,
        supervisions,
        args.out_dir,
        utt2emo=read_list(args.task / "utt2emo") if args.task else None,
        feats=feats,
        roots=[Path(os.path.abspath(args.manifests)).parent.parent, Path()],
    )
    print(f"{args.out_dir}: {number} utterances")
    if feats and len(FeatsInfo.load(args.feats).all_speeds) > 1:
        print(f"note: the copies at other speeds that {args.feats} has are left out")


if __name__ == "__main__":
    run(main)
