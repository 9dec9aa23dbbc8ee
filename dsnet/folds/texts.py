"""Texts that several parts of a fold share: compare them, leave the repetitions out."""

import unicodedata
from collections.abc import Mapping

from dsnet.folds.protocols import PARTS, Fold


def text_key(text: str) -> str:
    """Return what two texts have in common that differ in case, punctuation or spaces only.

    >>> text_key("Yeah,  I KNOW - it's fine.")
    "yeah i know it's fine"
    """
    letters = unicodedata.normalize("NFC", text.casefold())
    kept = (c if c in "_'" or unicodedata.category(c)[0] in "LMN" else " " for c in letters)
    return " ".join("".join(kept).split())


def leave_out_repeated(fold: Fold, utt2key: Mapping[str, str]) -> Fold:
    """Return the fold without utterances whose text a part nearer to the test has too.

    Args:
        fold: test stays whole; validation loses what test says, training what either says.
        utt2key: `text_key` of each utterance whose text is known.
    """
    parts, taken = {}, set()
    for part in reversed(PARTS):  # test, dev, train
        utts = getattr(fold, part)
        parts[part] = [utt for utt in utts if utt2key.get(utt) not in taken]
        taken |= {utt2key[utt] for utt in utts if utt in utt2key}
    return Fold(**parts)
