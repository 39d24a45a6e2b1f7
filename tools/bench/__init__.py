"""Measurements, printed as ratios taken side by side in one run. Nothing here asserts a time."""
