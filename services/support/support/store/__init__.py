"""All SQL of support, by aggregate. Rows and domain objects are turned into each other here alone."""
