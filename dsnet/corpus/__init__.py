"""Utterances, Lhotse manifests, audio checks, the gate, Kaldi data directories."""
