"""Which utterances meet in a batch, and the batches that a system trains on."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

from dsnet.models import augment
from dsnet.models.encoder import MIN_FRAMES
from dsnet.models.front_end import VoiceChange
from dsnet.systems.config import SystemConfig
from dsnet.systems.system import Batch, System
from dsnet.training.data import FoldData, in_frames, max_frames

BUCKET = 8  # batches that are sorted by length together


@dataclass(frozen=True)
class Speakers:
    """What an utterance and its reference share, of each of B pairs.

    voice: that both are changed to.
    heard: of the speaker, by which both are normalised; None: the input is not.
    """

    voice: VoiceChange
    heard: tuple[Tensor, Tensor] | None


class TrainingSet:
    """The labelled utterances of a training part, and what systems are given beside them."""

    def __init__(self, data: FoldData, config: SystemConfig):
        """Keep what an epoch reads: U utterances, K classes, S speakers."""
        self.frames, self.front_end = data.frames, data.front_end
        self.normalisation = data.normalisation
        self.config = config
        self.max_frames = max_frames(config, data.frames)
        self.max_masked = in_frames(config.augment.max_masked_seconds, data.frames)
        self.positions = data.frames.positions(data.train)  # (U,)
        labels = torch.tensor([data.labels[utt] for utt in data.train])
        place = {name: i for i, name in enumerate(data.train_speakers)}
        speakers = torch.tensor([place[data.speakers[utt]] for utt in data.train])
        self.num_classes, self.num_speakers = len(data.classes), len(place)
        self.labels = labels.to(data.frames.device)  # (U,)
        self.speakers = speakers.to(data.frames.device)  # (U,)
        self.unlabelled = data.frames.positions(data.unlabelled)
        references = [data.references[utt] for utt in data.train]
        self.num_references = torch.tensor([len(refs) for refs in references])  # (U,)
        # an utterance without references stands in for them, so that no other one is heard
        self.references = self.positions[:, None].repeat(1, int(self.num_references.max()) or 1)
        for row, refs in enumerate(references):
            self.references[row, : len(refs)] = data.frames.positions(refs)

    @property
    def num_batches(self) -> int:
        """Batches an epoch, of `batch_size` utterances or a few less.

        Utterances are dealt evenly: a last batch of what is left over would be normalised by the
        statistics of one or two utterances, which can undo epochs of training.
        """
        return -(-len(self.positions) // self.config.train.batch_size)

    @property
    def smallest_batch(self) -> int:
        return len(self.positions) // self.num_batches

    @property
    def class_shares(self) -> Tensor:
        """Return the (K,) shares of the classes; a class without utterances counts as one."""
        counts = self.labels.bincount(minlength=self.num_classes).clamp(min=1)
        return counts / counts.sum()

    def epoch(self, generator: Generator, system: System | type[System]) -> Iterator[Batch]:
        """Yield every batch once, with what `system` needs.

        `generator` draws order, speeds, references, unlabelled utterances and augmentation. An
        utterance and its reference are taken at one speed, changed to one voice, and normalised by
        the same utterances, else they would not be of the same speaker; tempo, cut and masks are
        drawn for each of the two.
        Mixup leaves the references as they are: those of the utterance that has the larger share.
        """
        for chosen in self._order(generator):
            version = self._versions(len(chosen), generator)
            positions, references = self.positions[chosen] + version, None
            if system.needs_neutral:
                count = self.num_references[chosen]
                draw = (torch.rand(len(chosen), generator=generator) * count).long()
                references = self.references[chosen, draw] + version
            speakers = self._speakers(positions, generator, references)
            feats, lengths = self._feats(positions, speakers, generator)
            targets = self._targets(chosen.to(self.frames.device))
            if self.config.augment.mixup:
                feats, targets = augment.mix(feats, targets, self.config.augment.mixup, generator)
            targets, speaker_targets = targets.tensor_split([self.num_classes], dim=1)
            batch = Batch(feats, lengths, targets, speaker_targets=speaker_targets)
            if references is not None:
                batch.neutral_feats, batch.neutral_lengths = self._feats(
                    references, speakers, generator
                )
                batch.has_neutral = (count > 0).to(self.frames.device)
            if system.needs_unlabelled:
                batch.unlabelled_feats, batch.unlabelled_lengths = self._unlabelled(
                    len(chosen), generator
                )
            yield batch

    def _versions(self, count: int, generator: Generator) -> Tensor | int:
        """Draw (count,) copies of utterances, as how far behind the utterance they lie."""
        if self.frames.num_versions == 1:
            return 0
        return torch.randint(self.frames.num_versions, (count,), generator=generator)

    def _targets(self, chosen: Tensor) -> Tensor:
        """Return (B, K + S) probabilities of class and speaker, of (B,) utterances."""
        classes = one_hot(self.labels[chosen], self.num_classes)
        return torch.cat([classes, one_hot(self.speakers[chosen], self.num_speakers)], 1).float()

    def _unlabelled(self, count: int, generator: Generator) -> tuple[Tensor, Tensor | None]:
        """Draw unlabelled utterances and change them as the labelled ones are, mixup included."""
        draw = torch.randint(len(self.unlabelled), (count,), generator=generator)
        positions = self.unlabelled[draw] + self._versions(count, generator)
        feats, lengths = self._feats(positions, self._speakers(positions, generator), generator)
        if self.config.augment.mixup:  # else mixed and unmixed audio would be told apart
            alpha = self.config.augment.mixup
            feats, _ = augment.mix(feats, feats.new_zeros(count, 1), alpha, generator)
        return feats, lengths

    def _speakers(
        self, positions: Tensor, generator: Generator, references: Tensor | None = None
    ) -> Speakers:
        """Draw what utterances and their references, (B,) positions in the store, share."""
        voice = self.front_end.draw_voice(len(positions), generator)
        if self.normalisation is None:
            return Speakers(voice, None)
        return Speakers(voice, self.normalisation.hear(positions, generator, references))

    def _order(self, generator: Generator) -> list[Tensor]:
        size = self.config.train.batch_size
        order = torch.randperm(len(self.positions), generator=generator)
        if self.config.input.mode == "variable":
            # similar lengths share a batch, so that little of it is padding
            lengths = self.frames.lengths.cpu()[self.positions[order]]
            lengths = lengths.clamp(max=self.max_frames)
            buckets = torch.arange(len(order)) // (BUCKET * size)
            order = order[torch.argsort(buckets * (int(lengths.max()) + 1) + lengths, stable=True)]
        batches = order.tensor_split(self.num_batches)
        return [batches[i] for i in torch.randperm(len(batches), generator=generator)]

    def _feats(
        self, positions: Tensor, speakers: Speakers, generator: Generator
    ) -> tuple[Tensor, Tensor | None]:
        """Read and augment utterances: (B, T, F), and (B,) lengths if there may be padding.

        Args:
            positions: (B,) in the store.
            speakers: of each.
            generator: draws all the rest.
        """
        mode, rates = self.config.input.mode, None
        if self.config.augment.tempo:
            rates = augment.tempo_rates(len(positions), self.config.augment.tempo, generator)
        if mode == "variable":
            feats, lengths = self.frames.variable(
                positions, MIN_FRAMES, self.max_frames, rates, generator
            )
            return self._change(feats, lengths, speakers, generator), lengths
        place = generator if mode == "crop" else None
        feats = self.frames.fixed(positions, self.max_frames, rates, place)
        whole = torch.full((len(positions),), self.max_frames, device=feats.device)
        return self._change(feats, whole, speakers, generator), None

    def _change(
        self, feats: Tensor, lengths: Tensor, speakers: Speakers, generator: Generator
    ) -> Tensor:
        if self.normalisation is not None:
            feats = self.normalisation(feats, speakers.heard)
        feats = self.front_end.change_voice(feats, speakers.voice)
        return augment.mask(feats, lengths, self.config.augment, self.max_masked, generator)
