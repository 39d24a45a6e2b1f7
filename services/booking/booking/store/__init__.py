"""All SQL of booking: rows to domain objects and back, constraints to refusals."""
