"""What stands on embeddings: classifiers, the decoder and conditioning."""

from torch import Tensor, nn


class Classifier(nn.Sequential):
    """(B, D) embeddings -> (B, K) logits."""

    def __init__(self, embed_dim: int, num_classes: int, dropout: float):
        super().__init__(
            nn.Linear(embed_dim, embed_dim),
            nn.PReLU(),
            nn.Dropout(dropout),
            nn.BatchNorm1d(embed_dim),
            nn.Linear(embed_dim, num_classes),
        )


class Decoder(nn.Sequential):
    """(B, 2D) of both parts side by side -> (B, D), the embedding that they came from."""

    def __init__(self, embed_dim: int):
        super().__init__(
            nn.Linear(2 * embed_dim, embed_dim), nn.ReLU(), nn.Linear(embed_dim, embed_dim)
        )


class Discriminator(nn.Sequential):
    """(B, D) embeddings -> (B, S) logits of speakers or domains.

    Without batch norm and dropout: nothing in it changes but by its own optimiser's steps.
    """

    def __init__(self, embed_dim: int, num_outputs: int):
        super().__init__(
            nn.Linear(embed_dim, embed_dim), nn.ReLU(), nn.Linear(embed_dim, num_outputs)
        )


class FiLM(nn.Module):
    """Scale and shift each unit of an embedding as another embedding says.

    Source: Perez et al. 2018, FiLM, arXiv 1709.07871.
    """

    def __init__(self, embed_dim: int):
        super().__init__()
        self.linear = nn.Linear(embed_dim, 2 * embed_dim)

    def forward(self, h: Tensor, condition: Tensor, known: Tensor | None = None) -> Tensor:
        """Return (B, D).

        Args:
            h, condition: (B, D).
            known: (B,) bool, false where there is no condition and h stays; None if all have one.
        """
        change = self.linear(condition)
        if known is not None:
            change = change * known[:, None]
        scale, shift = change.chunk(2, dim=1)
        return (1 + scale) * h + shift
