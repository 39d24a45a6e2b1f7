"""Authenticator apps, recovery codes and remembered devices: messages to use cases and back."""

from typing import Any, TypeAlias

import grpc

from auth.app import App
from auth.domain.challenges import RememberedDevice, RememberedDeviceNotFound
from auth.domain.identities import Identity, IdentityNotFound
from auth.servicer.callers import author, person
from auth.usecases import factors, identities, second_steps
from comptoir.auth.v1 import factor_pb2, factor_pb2_grpc
from servicekit import ids, paging

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class FactorServicer(factor_pb2_grpc.FactorServiceServicer):
    """The caller's own second factors."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def GetFactors(
        self, _request: factor_pb2.GetFactorsRequest, _context: _Context
    ) -> factor_pb2.GetFactorsResponse:
        """Tells which there are."""
        user_id, _ = person()
        found = await factors.get_factors(self._app, user_id)
        return factor_pb2.GetFactorsResponse(
            totp=found.totp, passkeys=found.passkeys, recovery_codes_left=found.recovery_codes_left
        )

    async def BeginTotp(
        self, _request: factor_pb2.BeginTotpRequest, _context: _Context
    ) -> factor_pb2.BeginTotpResponse:
        """Makes a secret for an authenticator app."""
        user_id, _ = person()
        enrolment = await factors.begin_totp(self._app, user_id, by=author())
        return factor_pb2.BeginTotpResponse(secret=enrolment.secret, uri=enrolment.uri)

    async def ConfirmTotp(
        self, request: factor_pb2.ConfirmTotpRequest, _context: _Context
    ) -> factor_pb2.ConfirmTotpResponse:
        """Has the app count."""
        user_id, _ = person()
        codes = await factors.confirm_totp(self._app, user_id, request.code, by=author())
        return factor_pb2.ConfirmTotpResponse(recovery_codes=codes)

    async def RemoveTotp(
        self, _request: factor_pb2.RemoveTotpRequest, _context: _Context
    ) -> factor_pb2.RemoveTotpResponse:
        """Forgets the app."""
        user_id, _ = person()
        await factors.remove_totp(self._app, user_id, by=author())
        return factor_pb2.RemoveTotpResponse()

    async def RenewRecoveryCodes(
        self, _request: factor_pb2.RenewRecoveryCodesRequest, _context: _Context
    ) -> factor_pb2.RenewRecoveryCodesResponse:
        """Makes ten new codes."""
        user_id, _ = person()
        codes = await factors.renew_recovery_codes(self._app, user_id, by=author())
        return factor_pb2.RenewRecoveryCodesResponse(recovery_codes=codes)

    async def ListRememberedDevices(
        self, request: factor_pb2.ListRememberedDevicesRequest, _context: _Context
    ) -> factor_pb2.ListRememberedDevicesResponse:
        """Lists the devices that need no second factor."""
        user_id, _ = person()
        page = paging.page(request.page_size, request.page_token, "devices", str(user_id), keys=1)
        found, token = await second_steps.list_remembered_devices(self._app, user_id, page)
        return factor_pb2.ListRememberedDevicesResponse(
            items=[_shown(each) for each in found], next_page_token=token
        )

    async def ForgetRememberedDevice(
        self, request: factor_pb2.ForgetRememberedDeviceRequest, _context: _Context
    ) -> factor_pb2.ForgetRememberedDeviceResponse:
        """Forgets one of them."""
        user_id, _ = person()
        device_id = ids.parse("rdv", request.device_id, RememberedDeviceNotFound)
        await second_steps.forget_remembered_device(self._app, user_id, device_id)
        return factor_pb2.ForgetRememberedDeviceResponse()

    async def ListIdentities(
        self, request: factor_pb2.ListIdentitiesRequest, _context: _Context
    ) -> factor_pb2.ListIdentitiesResponse:
        """Lists accounts at providers."""
        user_id, _ = person()
        page = paging.page(request.page_size, request.page_token, "identities", str(user_id), keys=2)
        found, token = await identities.list_identities(self._app, user_id, page)
        return factor_pb2.ListIdentitiesResponse(
            items=[_shown_identity(each) for each in found], next_page_token=token
        )

    async def UnlinkIdentity(
        self, request: factor_pb2.UnlinkIdentityRequest, _context: _Context
    ) -> factor_pb2.UnlinkIdentityResponse:
        """Unlinks one."""
        user_id, _ = person()
        identity_id = ids.parse("idn", request.identity_id, IdentityNotFound)
        await identities.unlink_identity(self._app, user_id, identity_id, by=author())
        return factor_pb2.UnlinkIdentityResponse()


def _shown_identity(identity: Identity) -> factor_pb2.Identity:
    organization_id = identity.organization_id
    shown = factor_pb2.Identity(
        id=ids.show("idn", identity.id),
        issuer=identity.issuer,
        organization_id=ids.show("org", organization_id) if organization_id else "",
    )
    shown.created_at.FromDatetime(identity.created_at)
    return shown


def _shown(device: RememberedDevice) -> factor_pb2.RememberedDevice:
    shown = factor_pb2.RememberedDevice(
        id=ids.show("rdv", device.id), device=device.device, address=device.address
    )
    shown.created_at.FromDatetime(device.created_at)
    shown.last_used_at.FromDatetime(device.last_used_at)
    shown.expires_at.FromDatetime(device.expires_at)
    return shown
