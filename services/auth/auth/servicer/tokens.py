"""The tokens of a session, or what a log-in waits for, as messages. Several servicers answer them."""

from auth.domain.challenges import PendingLogIn
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


def shown_log_in(answer: SessionTokens | PendingLogIn) -> account_pb2.LogInResponse:
    """An open session, or the challenge that comes before it."""
    if isinstance(answer, SessionTokens):
        return account_pb2.LogInResponse(tokens=shown_tokens(answer))
    challenge = account_pb2.LogInChallenge(
        token=answer.challenge, expires_in=answer.expires_in, factors=answer.factors
    )
    return account_pb2.LogInResponse(challenge=challenge)
