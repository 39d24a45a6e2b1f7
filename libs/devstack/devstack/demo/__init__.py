"""The main job through HTTP alone: used by the seed, by `make demo` and by tests of the platform."""
