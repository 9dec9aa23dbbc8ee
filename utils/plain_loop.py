"""The published system as a short, plain loop: what a training is measured against.

Convolutions 5x5, batch norm, ReLU, max-pool and dropout, attention pooling, translators, decoder
and classifier; utterance and neutral reference in one pass, padded to 6 s beforehand, in memory.

Axes: B utterances, C = 3 channels, T = 600 frames, F = 80 bins, D embedding, K classes.
Source: Chen and Zhang, doi 10.1007/s12204-024-2724-1.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (64, 128, 256, 512)
FRAMES, BINS, DIM = 600, 80, 256


def block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 5, padding=2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.2),
    )


class Gated(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        half = inputs // 2
        self.gate = nn.Sequential(
            nn.Linear(inputs, half), nn.ReLU(), nn.Linear(half, inputs), nn.Sigmoid()
        )
        self.linear = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.linear(x + self.gate(x) * x))


class Network(nn.Module):
    def __init__(self, num_classes: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(BINS)
        self.blocks = nn.Sequential(*map(block, (3, *WIDTHS[:-1]), WIDTHS))
        self.score, self.value = (nn.Conv1d(WIDTHS[-1], DIM, 1) for _ in range(2))
        self.to_s, self.to_e = (
            nn.Sequential(Gated(DIM, DIM // 2), Gated(DIM // 2, DIM)) for _ in range(2)
        )
        self.decoder = nn.Sequential(nn.Linear(2 * DIM, DIM), nn.ReLU(), nn.Linear(DIM, DIM))
        self.classifier = nn.Sequential(
            nn.Linear(DIM, DIM),
            nn.PReLU(),
            nn.Dropout(0.5),
            nn.BatchNorm1d(DIM),
            nn.Linear(DIM, num_classes),
        )

    def loss(self, both: Tensor, labels: Tensor) -> Tensor:
        """Args: both: (2B, C, T, F), references behind the utterances; labels: (B,)."""
        x = self.norm(both.transpose(1, 3)).transpose(1, 3)
        x = self.blocks(x).mean(3)
        weights = self.score(x).clamp(-10, 10).softmax(2)
        h, r = (weights * torch.sigmoid(self.value(x))).sum(2).chunk(2)
        s, e = self.to_s(h), self.to_e(h)
        p, q = s.log_softmax(1), r.log_softmax(1)
        m = torch.logaddexp(p, q) - math.log(2)
        similarity = (p.exp() * (p - m) + q.exp() * (q - m)).sum(1).mean() / 2
        unit = [functional.normalize(part - part.mean(0)) for part in (s, e)]
        difference = (unit[0].T @ unit[1]).square().mean()
        reconstruction = functional.mse_loss(self.decoder(torch.cat([s, e], 1)), h)
        task = functional.cross_entropy(self.classifier(e), labels)
        return task + similarity + difference + reconstruction


def plain_steps(batch_size: int, num_classes: int = 7):
    """Yield after every training step, on noise; (B, C, T, F) features have their deltas."""
    torch.manual_seed(0)
    network = Network(num_classes).train()
    optimizer = torch.optim.Adam(network.parameters())
    feats = torch.randn(4 * batch_size, 3, FRAMES, BINS)
    labels = torch.randint(num_classes, (len(feats),))
    while True:
        chosen, references = torch.randint(len(feats), (2, batch_size))
        optimizer.zero_grad()
        network.loss(feats[torch.cat([chosen, references])], labels[chosen]).backward()
        optimizer.step()
        yield
