"""The HTTP edge of the platform: JSON in, one gRPC call, JSON out. Holds no business rule and no database."""
