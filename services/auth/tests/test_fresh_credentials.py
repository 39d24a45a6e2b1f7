"""What gives a way in that lasts wants fresh credentials; what only takes away does not."""

import pytest

from servicekit import contract

JUDGED = {
    "ApiKeyService": {
        "CreateApiKey": True,
        "RotateApiKey": True,
        "RevokeApiKey": False,
        "RaiseApiKeyVersion": False,
        "ListApiKeys": False,
    },
    "RoleService": {
        "CreateRole": False,
        "UpdateRole": True,
        "DeleteRole": False,
        "GetRole": False,
        "ListRoles": False,
    },
    "InvitationService": {"CreateInvitation": True, "ResendInvitation": False, "RevokeInvitation": False},
    "OriginService": {"CreateOrigin": True, "DeleteOrigin": True, "ListOrigins": False},
    "WebDomainService": {"CreateWebDomain": True, "VerifyWebDomain": True, "DeleteWebDomain": True},
    "ThemeService": {"UpdateTheme": False, "GetTheme": False},
    "WebhookService": {"CreateWebhookEndpoint": False, "DeleteWebhookEndpoint": False},
}
"""As docs/security/fresh-credentials.md says why."""


@pytest.mark.parametrize("service", JUDGED)
def test_the_contract_wants_fresh_credentials_where_they_were_found_to_matter(service: str) -> None:
    wanted = {
        each.method.name: each.policy.fresh
        for each in contract.rpcs().values()
        if each.policy is not None and each.method.containing_service.name == service
    }
    assert {name: wanted[name] for name in JUDGED[service]} == JUDGED[service]
