"""Which utterances meet in a batch, and the batches that a system trains on."""

from collections.abc import Iterator, Sequence

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

from dsnet.features.fbank import FbankConfig
from dsnet.models.augment import Augmenter
from dsnet.models.encoder import MIN_FRAMES
from dsnet.systems.config import SystemConfig
from dsnet.systems.system import Batch
from dsnet.training.frames import FrameStore

BUCKET = 8  # batches that are sorted by length together


class TrainingSet:
    """The labelled utterances of a training part, with the neutral references of each."""

    def __init__(
        self,
        store: FrameStore,
        utt_ids: Sequence[str],
        labels: Sequence[int],
        num_classes: int,
        references: Sequence[Sequence[str]],
        config: SystemConfig,
        fbank: FbankConfig,
    ):
        """Args: U ids, U class indices, and U lists of reference ids (an empty one: none)."""
        self.store = store
        self.config = config
        self.augmenter = Augmenter(config.augment, fbank)
        self.positions = store.positions(utt_ids)  # (U,)
        self.targets = one_hot(torch.tensor(labels), num_classes).float().to(store.device)  # (U, K)
        self.num_references = torch.tensor([len(r) for r in references])  # (U,)
        self.references = torch.zeros(len(utt_ids), int(self.num_references.max()) or 1).long()
        for row, refs in enumerate(references):
            self.references[row, : len(refs)] = store.positions(refs)

    @property
    def num_batches(self) -> int:
        """Batches an epoch, of `batch_size` utterances or a few less.

        Utterances are dealt evenly: a last batch of what is left over would be normalised by the
        statistics of one or two utterances, which can undo epochs of training.
        """
        return -(-len(self.positions) // self.config.train.batch_size)

    def epoch(self, generator: Generator, with_neutral: bool) -> Iterator[Batch]:
        """Yield every batch once, in an order and with references that `generator` draws."""
        for chosen in self._order(generator):
            feats, lengths = self._feats(self.positions[chosen], generator)
            targets = self.targets[chosen.to(self.store.device)]
            if self.config.augment.mixup:
                feats, targets = self.augmenter.mix(feats, targets, generator)
            batch = Batch(feats, lengths, targets)
            if with_neutral:
                count = self.num_references[chosen]
                draw = (torch.rand(len(chosen), generator=generator) * count).long()
                batch.neutral_feats, batch.neutral_lengths = self._feats(
                    self.references[chosen, draw], generator
                )
                batch.has_neutral = (count > 0).to(self.store.device)
            yield batch

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
            return self.augmenter.spectral(feats, lengths, generator), lengths
        place = generator if mode == "crop" else None
        feats = self.store.fixed(positions, max_frames, rates, place)
        whole = torch.full((len(positions),), max_frames, device=feats.device)
        return self.augmenter.spectral(feats, whole, generator), None
