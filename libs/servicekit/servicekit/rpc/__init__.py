"""gRPC between processes: what is checked on the way in, and how a peer is called."""
