"""Speaker-independent speech emotion recognition with disentangled Siamese networks."""

__version__ = "0.1.0"
