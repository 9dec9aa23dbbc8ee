"""Log-mel filterbank features in Kaldi archives."""
