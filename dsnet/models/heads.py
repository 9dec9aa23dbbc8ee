"""What stands on embeddings: the classifier and the decoder."""

from torch import nn


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
