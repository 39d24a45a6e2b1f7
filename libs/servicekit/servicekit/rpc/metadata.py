"""The names of the gRPC metadata that callers send and guards read."""

IDENTITY = "comptoir-identity"
IDEMPOTENCY_KEY = "idempotency-key"
REQUEST_ID = "comptoir-request-id"
USER_AGENT = "comptoir-user-agent"
TRACEPARENT = "traceparent"
