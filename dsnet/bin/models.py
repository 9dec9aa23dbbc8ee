"""Show the models of the package, or the card of one."""

import argparse
from collections.abc import Sequence

from dsnet.recognizer.bundle import MANIFEST, MODELS, find_bundle, read_bundle


def main(program: str, words: Sequence[str]) -> int:
    """List models, or print a card."""
    parser = argparse.ArgumentParser(program, description=__doc__)
    parser.add_argument("model", nargs="?", help="print its card: a name, or a bundle's folder")
    args = parser.parse_args(words)
    if args.model:
        print(read_bundle(find_bundle(args.model)).card.strip())
        return 0
    for path in sorted(MODELS.glob(f"*/{MANIFEST}")):
        bundle = read_bundle(path.parent)
        corpus = bundle.facts["trained_on"]
        print(
            f"{bundle.name}: {', '.join(bundle.classes)}; trained on {corpus['corpus']}, "
            f"{corpus['speakers']} speakers; can be given: {', '.join(bundle.members)}"
        )
    return 0
