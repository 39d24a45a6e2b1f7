"""gRPC messages to use cases and back. Decides nothing."""

from collections.abc import Sequence

from auth.app import App
from auth.servicer.accounts import AccountServicer
from auth.servicer.directory import AccountDirectoryServicer
from auth.servicer.sessions import SessionDirectoryServicer, SessionServicer
from comptoir.auth.v1 import account_pb2_grpc, session_pb2_grpc
from servicekit.rpc.server import Registration


def servicers(app: App) -> Sequence[Registration]:
    """All services of auth, ready to be added to a server."""
    return [
        lambda server: account_pb2_grpc.add_AccountServiceServicer_to_server(AccountServicer(app), server),
        lambda server: account_pb2_grpc.add_AccountDirectoryServiceServicer_to_server(
            AccountDirectoryServicer(app), server
        ),
        lambda server: session_pb2_grpc.add_SessionServiceServicer_to_server(SessionServicer(app), server),
        lambda server: session_pb2_grpc.add_SessionDirectoryServiceServicer_to_server(
            SessionDirectoryServicer(app), server
        ),
    ]
