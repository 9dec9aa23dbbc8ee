"""Which utterances meet in a batch, and the batches that a system trains on."""

from collections.abc import Iterator, Sequence

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

from dsnet.features.fbank import FbankConfig
from dsnet.models.augment import Augmenter
from dsnet.models.encoder import MIN_FRAMES
from dsnet.systems.config import SystemConfig
from dsnet.systems.system import Batch, System
from dsnet.training.calibration import SpeakerCalibration
from dsnet.training.frames import FrameStore

BUCKET = 8  # batches that are sorted by length together


class TrainingSet:
    """The labelled utterances of a training part, and what systems are given beside them."""

    def __init__(
        self,
        store: FrameStore,
        utt_ids: Sequence[str],
        labels: Sequence[int],
        num_classes: int,
        speakers: Sequence[int],
        references: Sequence[Sequence[str]],
        unlabelled: Sequence[str],
        config: SystemConfig,
        fbank: FbankConfig,
        calibration: SpeakerCalibration | None = None,
    ):
        """Keep what an epoch reads.

        Args:
            store: with all utterances that are named below.
            utt_ids: U ids.
            labels: U class indices.
            num_classes: K.
            speakers: U speaker indices, from 0 without a gap.
            references: U lists of reference ids (an empty one: none).
            unlabelled: ids of other utterances, for systems with `needs_unlabelled`.
            config: of the system.
            fbank: how the features were computed.
            calibration: with clips for all of them; None: the input is not calibrated.
        """
        self.store = store
        self.config = config
        self.calibration = calibration
        self.augmenter = Augmenter(config.augment, fbank)
        self.positions = store.positions(utt_ids)  # (U,)
        targets = torch.cat(
            [one_hot(torch.tensor(labels), num_classes), one_hot(torch.tensor(speakers))], 1
        )
        self.targets = targets.float().to(store.device)  # (U, K + S)
        self.num_classes = num_classes
        self.unlabelled = store.positions(unlabelled)
        self.num_references = torch.tensor([len(r) for r in references])  # (U,)
        # an utterance without references stands in for them, so that no other one is heard
        self.references = self.positions[:, None].repeat(1, int(self.num_references.max()) or 1)
        for row, refs in enumerate(references):
            self.references[row, : len(refs)] = store.positions(refs)

    @property
    def num_batches(self) -> int:
        """Batches an epoch, of `batch_size` utterances or a few less.

        Utterances are dealt evenly: a last batch of what is left over would be normalised by the
        statistics of one or two utterances, which can undo epochs of training.
        """
        return -(-len(self.positions) // self.config.train.batch_size)

    def epoch(self, generator: Generator, system: System | type[System]) -> Iterator[Batch]:
        """Yield every batch once, with what `system` needs.

        `generator` draws order, references, unlabelled utterances and augmentation. Mixup leaves
        the references as they are: those of the utterance that has the larger share.
        """
        for chosen in self._order(generator):
            feats, lengths = self._feats(self.positions[chosen], generator)
            targets = self.targets[chosen.to(self.store.device)]
            if self.config.augment.mixup:
                feats, targets = self.augmenter.mix(feats, targets, generator)
            targets, speaker_targets = targets.tensor_split([self.num_classes], dim=1)
            batch = Batch(feats, lengths, targets, speaker_targets=speaker_targets)
            if system.needs_neutral:
                count = self.num_references[chosen]
                draw = (torch.rand(len(chosen), generator=generator) * count).long()
                batch.neutral_feats, batch.neutral_lengths = self._feats(
                    self.references[chosen, draw], generator
                )
                batch.has_neutral = (count > 0).to(self.store.device)
            if system.needs_unlabelled:
                batch.unlabelled_feats, batch.unlabelled_lengths = self._unlabelled(
                    len(chosen), generator
                )
            yield batch

    def _unlabelled(self, count: int, generator: Generator) -> tuple[Tensor, Tensor | None]:
        """Draw unlabelled utterances and change them as the labelled ones are, mixup included."""
        draw = torch.randint(len(self.unlabelled), (count,), generator=generator)
        feats, lengths = self._feats(self.unlabelled[draw], generator)
        if self.config.augment.mixup:  # else mixed and unmixed audio would be told apart
            feats, _ = self.augmenter.mix(feats, feats.new_zeros(count, 1), generator)
        return feats, lengths

    def _order(self, generator: Generator) -> list[Tensor]:
        size = self.config.train.batch_size
        order = torch.randperm(len(self.positions), generator=generator)
        if self.config.input.mode == "variable":
            # similar lengths share a batch, so that little of it is padding
            lengths = self.store.lengths.cpu()[self.positions[order]]
            lengths = lengths.clamp(max=self.config.input.max_frames)
            buckets = torch.arange(len(order)) // (BUCKET * size)
            order = order[torch.argsort(buckets * (int(lengths.max()) + 1) + lengths, stable=True)]
        batches = order.tensor_split(self.num_batches)
        return [batches[i] for i in torch.randperm(len(batches), generator=generator)]

    def _feats(self, positions: Tensor, generator: Generator) -> tuple[Tensor, Tensor | None]:
        """Read and augment utterances: (B, T, F), and (B,) lengths if there may be padding."""
        mode, max_frames = self.config.input.mode, self.config.input.max_frames
        rates = None
        if self.config.augment.tempo:
            rates = self.augmenter.rates(len(positions), generator)
        if mode == "variable":
            feats, lengths = self.store.variable(
                positions, MIN_FRAMES, max_frames, rates, generator
            )
            return self._change(feats, lengths, positions, generator), lengths
        place = generator if mode == "crop" else None
        feats = self.store.fixed(positions, max_frames, rates, place)
        whole = torch.full((len(positions),), max_frames, device=feats.device)
        return self._change(feats, whole, positions, generator), None

    def _change(
        self, feats: Tensor, lengths: Tensor, positions: Tensor, generator: Generator
    ) -> Tensor:
        if self.calibration is not None:
            feats = self.calibration(feats, positions, generator)
        return self.augmenter.spectral(feats, lengths, generator)
