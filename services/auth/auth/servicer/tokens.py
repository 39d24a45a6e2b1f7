"""The tokens of a session as a message. Several servicers answer them."""

from auth.domain.sessions import SessionTokens
from comptoir.auth.v1 import account_pb2


def shown_tokens(tokens: SessionTokens) -> account_pb2.SessionTokens:
    """What a client is given."""
    return account_pb2.SessionTokens(
        access_token=tokens.access_token,
        token_type="Bearer",  # noqa: S106
        expires_in=tokens.expires_in,
        refresh_token=tokens.refresh_token,
    )
