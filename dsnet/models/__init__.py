"""Network parts: input, encoders, pooling, translators, heads."""
