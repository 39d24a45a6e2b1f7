"""gRPC messages to use cases and back. Decides nothing."""

from collections.abc import Sequence

from auth.app import App
from auth.servicer.accounts import AccountServicer
from auth.servicer.api_keys import ApiKeyDirectoryServicer, ApiKeyServicer
from auth.servicer.audit_log import AuditServicer
from auth.servicer.connections import ConnectionServicer
from auth.servicer.credentials import AccountMailServicer, CredentialServicer
from auth.servicer.directory import AccountDirectoryServicer
from auth.servicer.factors import FactorServicer
from auth.servicer.invitations import InvitationDirectoryServicer, InvitationServicer
from auth.servicer.operator_access import (
    OperatorAccessServicer,
    OperatorDirectoryServicer,
    OperatorVisitServicer,
)
from auth.servicer.operators import OperatorLogInServicer, OperatorServicer, OperatorSessionServicer
from auth.servicer.organizations import MemberServicer, OrganizationServicer
from auth.servicer.passkeys import ChallengeServicer, PasskeyServicer
from auth.servicer.privacy import MyDataServicer, PrivacyDirectoryServicer, PrivacyServicer
from auth.servicer.retention import RetentionServicer
from auth.servicer.roles import RoleServicer
from auth.servicer.scim import ScimServicer
from auth.servicer.scim_tokens import ScimTokenServicer
from auth.servicer.sessions import SessionDirectoryServicer, SessionServicer
from auth.servicer.sites import (
    OriginServicer,
    SiteDirectoryServicer,
    ThemeServicer,
    WebDomainServicer,
)
from auth.servicer.sso import SsoRedirectServicer, SsoServicer
from comptoir.auth.v1 import (
    account_pb2_grpc,
    audit_pb2_grpc,
    connection_pb2_grpc,
    credential_pb2_grpc,
    factor_pb2_grpc,
    invitation_pb2_grpc,
    key_pb2_grpc,
    operator_access_pb2_grpc,
    operator_pb2_grpc,
    organization_pb2_grpc,
    privacy_pb2_grpc,
    retention_pb2_grpc,
    role_pb2_grpc,
    scim_pb2_grpc,
    session_pb2_grpc,
    site_pb2_grpc,
    sso_pb2_grpc,
)
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
        lambda server: credential_pb2_grpc.add_CredentialServiceServicer_to_server(
            CredentialServicer(app), server
        ),
        lambda server: credential_pb2_grpc.add_AccountMailServiceServicer_to_server(
            AccountMailServicer(app), server
        ),
        lambda server: organization_pb2_grpc.add_OrganizationServiceServicer_to_server(
            OrganizationServicer(app), server
        ),
        lambda server: organization_pb2_grpc.add_MemberServiceServicer_to_server(MemberServicer(app), server),
        lambda server: role_pb2_grpc.add_RoleServiceServicer_to_server(RoleServicer(app), server),
        lambda server: invitation_pb2_grpc.add_InvitationServiceServicer_to_server(
            InvitationServicer(app), server
        ),
        lambda server: invitation_pb2_grpc.add_InvitationDirectoryServiceServicer_to_server(
            InvitationDirectoryServicer(app), server
        ),
        lambda server: factor_pb2_grpc.add_FactorServiceServicer_to_server(FactorServicer(app), server),
        lambda server: factor_pb2_grpc.add_PasskeyServiceServicer_to_server(PasskeyServicer(app), server),
        lambda server: factor_pb2_grpc.add_ChallengeServiceServicer_to_server(ChallengeServicer(app), server),
        lambda server: key_pb2_grpc.add_ApiKeyServiceServicer_to_server(ApiKeyServicer(app), server),
        lambda server: key_pb2_grpc.add_ApiKeyDirectoryServiceServicer_to_server(
            ApiKeyDirectoryServicer(app), server
        ),
        lambda server: audit_pb2_grpc.add_AuditServiceServicer_to_server(AuditServicer(app), server),
        lambda server: connection_pb2_grpc.add_ConnectionServiceServicer_to_server(
            ConnectionServicer(app), server
        ),
        lambda server: retention_pb2_grpc.add_RetentionServiceServicer_to_server(
            RetentionServicer(app), server
        ),
        *_of_operators(app),
        *_of_sites(app),
        lambda server: privacy_pb2_grpc.add_PrivacyServiceServicer_to_server(PrivacyServicer(app), server),
        lambda server: privacy_pb2_grpc.add_MyDataServiceServicer_to_server(MyDataServicer(app), server),
        lambda server: privacy_pb2_grpc.add_PrivacyDirectoryServiceServicer_to_server(
            PrivacyDirectoryServicer(app), server
        ),
        lambda server: scim_pb2_grpc.add_ScimTokenServiceServicer_to_server(ScimTokenServicer(app), server),
        lambda server: scim_pb2_grpc.add_ScimServiceServicer_to_server(ScimServicer(app), server),
        lambda server: sso_pb2_grpc.add_SsoServiceServicer_to_server(SsoServicer(app), server),
        lambda server: sso_pb2_grpc.add_SsoRedirectServiceServicer_to_server(
            SsoRedirectServicer(app), server
        ),
    ]


def _of_operators(app: App) -> Sequence[Registration]:
    return [
        lambda server: operator_pb2_grpc.add_OperatorLogInServiceServicer_to_server(
            OperatorLogInServicer(app), server
        ),
        lambda server: operator_pb2_grpc.add_OperatorSessionServiceServicer_to_server(
            OperatorSessionServicer(app), server
        ),
        lambda server: operator_pb2_grpc.add_OperatorServiceServicer_to_server(OperatorServicer(app), server),
        lambda server: operator_access_pb2_grpc.add_OperatorAccessServiceServicer_to_server(
            OperatorAccessServicer(app), server
        ),
        lambda server: operator_access_pb2_grpc.add_OperatorVisitServiceServicer_to_server(
            OperatorVisitServicer(app), server
        ),
        lambda server: operator_access_pb2_grpc.add_OperatorDirectoryServiceServicer_to_server(
            OperatorDirectoryServicer(app), server
        ),
    ]


def _of_sites(app: App) -> Sequence[Registration]:
    return [
        lambda server: site_pb2_grpc.add_OriginServiceServicer_to_server(OriginServicer(app), server),
        lambda server: site_pb2_grpc.add_WebDomainServiceServicer_to_server(WebDomainServicer(app), server),
        lambda server: site_pb2_grpc.add_ThemeServiceServicer_to_server(ThemeServicer(app), server),
        lambda server: site_pb2_grpc.add_SiteDirectoryServiceServicer_to_server(
            SiteDirectoryServicer(app), server
        ),
    ]
