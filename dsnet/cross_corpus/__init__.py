"""Models of one recipe scored on another: shared classes, audit, target statistics, result page."""
