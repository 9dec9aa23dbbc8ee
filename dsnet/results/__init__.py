"""The store of scored runs: posteriors, runs, ledger, staleness, ensembles."""
