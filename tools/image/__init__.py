"""Runs inside the image build, on the standard library alone."""
