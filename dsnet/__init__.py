"""Speaker-independent speech emotion recognition with disentangled Siamese networks.

>>> from dsnet import Recognizer                                             # doctest: +SKIP
>>> result = Recognizer.load("emodb-small")(samples, sampling_rate)          # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dsnet.recognizer.recognizer import Recognizer, Result

__version__ = "0.1.0"
__all__ = ["Recognizer", "Result"]


def __getattr__(name: str) -> Any:
    if name in __all__:  # only now torch is imported
        from dsnet.recognizer import recognizer

        return getattr(recognizer, name)
    raise AttributeError(f"module 'dsnet' has no attribute '{name}'")
