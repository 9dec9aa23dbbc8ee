"""Write a Kaldi data directory (wav.scp, utt2spk, utt2emo, ...) from manifests and features."""

import argparse
from collections.abc import Iterable
from pathlib import Path

from dsnet.bin import run
from dsnet.corpus.kaldi_data import export_kaldi, read_list
from dsnet.corpus.manifests import read_manifests
from dsnet.errors import CorpusError
from dsnet.features.feats import FeatsInfo, read_feats_scp


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--manifests", type=Path, required=True, help="data/manifests")
    parser.add_argument("--feats", type=Path, help="data/fbank: write feats.scp too")
    parser.add_argument("--task", type=Path, help="data/<task>: its utterances and classes only")
    parser.add_argument("out_dir", type=Path)
    args = parser.parse_args()
    recordings, supervisions = read_manifests(args.manifests)
    places = {recording.sources[0].source for recording in recordings}
    feats = None
    if args.feats:
        feats = read_feats_scp(args.feats / "feats.scp")
        places |= {place.rpartition(":")[0] for place in feats.values()}
    number = export_kaldi(
        recordings,
        supervisions,
        args.out_dir,
        utt2emo=read_list(args.task / "utt2emo") if args.task else None,
        feats=feats,
        root=beginning(places, args.manifests),
    )
    print(f"{args.out_dir}: {number} utterances")
    if feats and len(FeatsInfo.load(args.feats).all_speeds) > 1:
        print(f"note: the copies at other speeds that {args.feats} has are left out")


def beginning(places: Iterable[str], manifests: Path) -> Path:
    """Return the folder where paths of manifests and features begin: the recipe's, or this one.

    Raises:
        CorpusError: they begin at neither.
    """
    folders = [manifests.resolve().parents[1], Path.cwd()]
    missing = []
    for folder in folders:
        missing = [place for place in sorted(places) if not (folder / place).exists()]
        if not missing:
            return folder
    raise CorpusError(
        f"{len(missing)} files that {manifests} or the features name are neither below "
        f"{folders[0]} nor here, such as {missing[0]}; run this in the folder of the recipe that "
        "wrote them"
    )


if __name__ == "__main__":
    run(main)
