"""The errors that a user can mend; programs print their message without a traceback."""


class DsnetError(Exception):
    """Something the user gave is wrong; the message says what, where and what to do."""


class ConfigError(DsnetError):
    """A config file or an option."""


class CorpusError(DsnetError):
    """A corpus, its audio or its manifests."""


class FeatureError(DsnetError):
    """Feature archives and their index."""


class FoldError(DsnetError):
    """Folds and neutral references."""


class TrainingError(DsnetError):
    """Training, checkpoints and inference."""


class ScoringError(DsnetError):
    """Posteriors and what is computed from them."""


class BundleError(DsnetError):
    """Bundles, profiles of speakers, and recordings that are judged with them."""
