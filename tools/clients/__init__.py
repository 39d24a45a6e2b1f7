"""The generator of the Python and the TypeScript client: what of them follows from docs/openapi.json."""
