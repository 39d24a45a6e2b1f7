"""What `make check` runs: linters, types, architecture, contract, drift, and rules of our own."""
