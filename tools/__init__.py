"""Development tools: code generation, checks and benchmarks. Nothing here is shipped."""
