"""DSNet with losses on scales of their own, so that their weights mean something.

The network is that of dsnet. Differences, each of one term:
    similarity      s has to tell the speaker's neutral embedding from those of other speakers,
                    which get no gradient, instead of looking like the one of its own
    difference      squared debiased CKA of s and e, which is 1 for equal parts and about 0 for
                    independent ones, instead of a mean of products
    reconstruction  the share of h's variance that the decoder misses, no gradient to h
With `enrolment.source: neutral` the same system is given neutral utterances at inference, too.
"""

from torch import Tensor

from dsnet.losses.normalised import alignment, contrastive, unexplained
from dsnet.systems.dsnet import DSNet
from dsnet.systems.system import Batch


class DSNetPlus(DSNet):
    """A prediction is that of dsnet; no neutral utterance at inference but by enrolment."""

    def similarity(self, s: Tensor, r: Tensor, batch: Batch) -> Tensor:
        paired = batch.has_neutral
        return contrastive(s[paired], r[paired], batch.speaker_targets.argmax(1)[paired])

    difference = staticmethod(alignment)
    reconstruction = staticmethod(unexplained)
