"""Roles: messages to use cases and back."""

from typing import Any, TypeAlias

import grpc

from auth.app import App
from auth.domain.roles import Role, RoleNotFound
from auth.servicer.callers import author
from auth.servicer.organizations import own
from auth.usecases import roles
from comptoir.auth.v1 import role_pb2, role_pb2_grpc
from servicekit import identity, ids, paging, permissions

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class RoleServicer(role_pb2_grpc.RoleServiceServicer):
    """What members may do."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def ListRoles(
        self, request: role_pb2.ListRolesRequest, _context: _Context
    ) -> role_pb2.ListRolesResponse:
        """Lists the built-in ones and the organization's own."""
        organization_id = own(request.organization_id)
        page = paging.page(request.page_size, request.page_token, "roles", str(organization_id), keys=3)
        names, found, token = await roles.list_roles(self._app, organization_id, page)
        return role_pb2.ListRolesResponse(
            items=[*map(_built_in, names), *map(_shown, found)],
            permissions=sorted(permissions.ALL),
            next_page_token=token,
        )

    async def GetRole(self, request: role_pb2.GetRoleRequest, _context: _Context) -> role_pb2.GetRoleResponse:
        """Reads one, built-in or the organization's own."""
        organization_id = own(request.organization_id)
        if request.role_id in permissions.ROLES:
            return role_pb2.GetRoleResponse(role=_built_in(request.role_id))
        role_id = ids.parse("rol", request.role_id, RoleNotFound)
        found = await roles.get_role(self._app, organization_id, role_id)
        return role_pb2.GetRoleResponse(role=_shown(found))

    async def CreateRole(
        self, request: role_pb2.CreateRoleRequest, _context: _Context
    ) -> role_pb2.CreateRoleResponse:
        """Makes one."""
        own(request.organization_id)
        made = await roles.create_role(
            self._app, identity.caller(), name=request.name, allowed=request.permissions, by=author()
        )
        return role_pb2.CreateRoleResponse(role=_shown(made))

    async def UpdateRole(
        self, request: role_pb2.UpdateRoleRequest, _context: _Context
    ) -> role_pb2.UpdateRoleResponse:
        """Changes one."""
        own(request.organization_id)
        changed = await roles.update_role(
            self._app,
            identity.caller(),
            ids.parse("rol", request.role_id, RoleNotFound),
            name=request.name,
            allowed=request.permissions,
            expected_version=request.expected_version,
            by=author(),
        )
        return role_pb2.UpdateRoleResponse(role=_shown(changed))

    async def DeleteRole(
        self, request: role_pb2.DeleteRoleRequest, _context: _Context
    ) -> role_pb2.DeleteRoleResponse:
        """Deletes one."""
        own(request.organization_id)
        role_id = ids.parse("rol", request.role_id, RoleNotFound)
        await roles.delete_role(
            self._app, identity.caller(), role_id, expected_version=request.expected_version, by=author()
        )
        return role_pb2.DeleteRoleResponse()


def _built_in(name: str) -> role_pb2.Role:
    return role_pb2.Role(id=name, name=name, permissions=sorted(permissions.ROLES[name]), built_in=True)


def _shown(role: Role) -> role_pb2.Role:
    return role_pb2.Role(
        id=ids.show("rol", role.id),
        name=role.name,
        permissions=sorted(role.permissions),
        built_in=False,
        version=role.version,
    )
