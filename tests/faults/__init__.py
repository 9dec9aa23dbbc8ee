"""What can go wrong on a machine, done on purpose; fault_matrix.py plays it all."""
