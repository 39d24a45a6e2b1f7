"""All SQL of analytics. Rows and domain objects are turned into each other here and nowhere else."""
