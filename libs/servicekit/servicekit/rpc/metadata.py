"""The names of the gRPC metadata that callers send and guards read."""

IDENTITY = "comptoir-identity"
IDEMPOTENCY_KEY = "idempotency-key"
REQUEST_ID = "comptoir-request-id"
TRACEPARENT = "traceparent"
