"""The rules about money: states, transitions and refusals. No database, no network, no provider by name."""
