"""A trained model in use: bundles, recordings, speakers' profiles, ONNX."""
