"""What models must know of their features, without any."""

from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Known:
    name: str = "fbank"
    kind: str = "fbank"
    dim: int = 80
    frame_shift_ms: float | None = 10.0


@pytest.fixture
def log_mels():
    """A function from a number of mel bins to what is known of such features."""
    return lambda dim=80: Known(name=f"fbank_{dim}", dim=dim)


@pytest.fixture
def functionals():
    return Known("compare", "opensmile", 6373, None)
