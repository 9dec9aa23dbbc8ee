"""Metrics, statistics, report and figures."""
