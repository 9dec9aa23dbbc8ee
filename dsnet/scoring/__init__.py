"""Numbers of a result: metrics, intervals over speakers, paired tests, calibration."""
