"""The names of the gRPC metadata that callers send and guards read, and of what guards tell."""

IDENTITY = "comptoir-identity"
IDEMPOTENCY_KEY = "idempotency-key"
IDEMPOTENCY_REPLAYED = "idempotency-replayed"
"""Of an answer that is an earlier call's."""
REQUEST_ID = "comptoir-request-id"
USER_AGENT = "comptoir-user-agent"
TRACEPARENT = "traceparent"
