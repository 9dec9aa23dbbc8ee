"""Speaker calibration of the input: log-mels as an average voice would have them.

Each bin of an utterance is shifted and scaled so that the speaker's neutral clips have the mean and
deviation of an average voice: what is left of a speaker's level, microphone and timbre is what the
clips do not explain. Axes: B utterances, T frames, F bins, U utterances, M clips of each at most.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Generator, Tensor

from dsnet.errors import TrainingError
from dsnet.models.encoder import FLOOR
from dsnet.training.frames import FrameStore

MEAN, DEVIATION = 17.0, 3.5  # nats, of an average voice: neutral speech of EmoDB
LEAST_DEVIATION = 0.5  # nats, so that a bin of silence is not blown up
MOST_DRAWN = 5  # clips in training


def require_clips(clips: Mapping[str, Sequence[str]]) -> None:
    """Make sure that every utterance can be calibrated.

    Raises:
        TrainingError: some have no clip.
    """
    without = [utt for utt, own in clips.items() if not own]
    if without:
        raise TrainingError(
            f"{len(without)} of {len(clips)} utterances have no neutral clip of their speaker "
            f"beside themselves, by which input.calibrate goes; first: "
            f"{', '.join(without[:10])}. Set references.if_missing to all_utterances in the "
            "task's config (stage 2), or input.calibrate to none"
        )


class SpeakerCalibration:
    """What the neutral clips of the speakers of a store are like, and utterances in their light."""

    def __init__(self, store: FrameStore, clips: Mapping[str, Sequence[str]], count: int):
        """Measure the clips.

        Args:
            store: with all utterances and clips.
            clips: U utterances, each with clips of its speaker, best first, never itself.
            count: how many of them count outside training.

        Raises:
            TrainingError: an utterance without any clip.
        """
        require_clips(clips)
        self.count = count
        names = sorted({clip for own in clips.values() for clip in own})
        place = {name: i for i, name in enumerate(names)}
        self.sums = torch.stack([self._sums(store, name) for name in names])  # (clips, 2F + 1)
        width = max(map(len, clips.values()))
        self.clips = torch.zeros(len(store.index), width, dtype=torch.long)  # (U, M)
        self.num_clips = torch.zeros(len(store.index), dtype=torch.long)  # (U,)
        for utt, own in clips.items():
            row = store.index[utt]
            self.clips[row, : len(own)] = torch.tensor([place[clip] for clip in own])
            self.num_clips[row] = len(own)

    @staticmethod
    def _sums(store: FrameStore, clip: str) -> Tensor:
        """Return the sum of a clip's frames, that of their squares, and their number."""
        row = store.index[clip]
        start, length = int(store.offsets[row]), int(store.lengths[row])
        frames = store.frames[start : start + length].clamp(min=FLOOR).double()
        number = frames.new_full((1,), length)
        return torch.cat([frames.sum(0), frames.square().sum(0), number]).cpu()

    def __call__(
        self, feats: Tensor, positions: Tensor, generator: Generator | None = None
    ) -> Tensor:
        """Return calibrated log-mels, (B, T, F).

        Args:
            feats: (B, T, F) log-mels.
            positions: (B,) of their utterances in the store, on the CPU.
            generator: draws 1 to 5 clips for each, in training; None: the first `count` of them.
        """
        available = self.num_clips[positions]  # (B,)
        places = torch.arange(self.clips.shape[1])
        if generator is None:
            chosen = places < available.clamp(max=self.count)[:, None]  # (B, M)
        else:
            most = available.clamp(max=MOST_DRAWN)
            wanted = 1 + (torch.rand(len(positions), generator=generator) * most).long()
            order = torch.rand(len(positions), len(places), generator=generator)
            order[places >= available[:, None]] = 2.0  # behind all that are there
            chosen = order.argsort(1).argsort(1) < wanted[:, None]
        sums = (self.sums[self.clips[positions]] * chosen[:, :, None]).sum(1)  # (B, 2F + 1)
        bins = feats.shape[2]
        mean = sums[:, :bins] / sums[:, -1:]
        variance = sums[:, bins:-1] / sums[:, -1:] - mean.square()
        deviation = variance.clamp(min=LEAST_DEVIATION**2).sqrt()
        mean, deviation = (x.float()[:, None].to(feats.device) for x in (mean, deviation))
        return MEAN + DEVIATION * (feats.clamp(min=FLOOR) - mean) / deviation
