"""What we publish of SCIM: users, groups, and what the service offers. No more than is kept and used."""

from typing import Annotated, Any, ClassVar

from pydantic import Field
from scim2_models import (
    URN,
    AuthenticationScheme,
    Bulk,
    CaseExact,
    ChangePassword,
    ComplexAttribute,
    ETag,
    Filter,
    Mutability,
    Pagination,
    Patch,
    Reference,
    Required,
    Resource,
    ResourceType,
    ScimPolicy,
    ScimProvider,
    ServiceProviderConfig,
    Sort,
    Uniqueness,
)

PAGE = 100
"""How many resources a page has, when nobody asks for fewer or more."""
LARGEST_PAGE = 200


class Email(ComplexAttribute):
    """The address of a user, once more."""

    value: Annotated[str | None, Mutability.read_only] = None
    """The userName."""

    type: Annotated[str | None, Mutability.read_only] = None
    """Always "work"."""

    primary: Annotated[bool | None, Mutability.read_only] = None
    """Always true."""


class UserGroup(ComplexAttribute):
    """A group that a user is in."""

    value: Annotated[str | None, Mutability.read_only, CaseExact.true] = None
    """The id of the group."""

    ref: Annotated[Reference["Group"] | None, Mutability.read_only] = Field(
        None, serialization_alias="$ref", validation_alias="$ref"
    )
    """Where the group is."""

    display: Annotated[str | None, Mutability.read_only] = None
    """Its displayName."""


class User(Resource[Any]):
    """A person of a verified domain of the connection."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:User")

    user_name: Annotated[str | None, Uniqueness.server, Required.true] = None
    """The e-mail address, of a verified domain of the connection."""

    display_name: Annotated[str | None, Required.true] = None
    """What colleagues see. Made of name, or of userName, for those who send none."""

    active: Annotated[bool | None, Required.true] = None
    """Whether they are a member of the organization. True for those who say nothing."""

    emails: Annotated[list[Email] | None, Mutability.read_only] = None
    """The userName as one address. What is sent is ignored."""

    Emails: ClassVar[type[ComplexAttribute]] = Email

    groups: Annotated[list[UserGroup] | None, Mutability.read_only] = None
    """The groups that they are in."""

    Groups: ClassVar[type[ComplexAttribute]] = UserGroup


class GroupMember(ComplexAttribute):
    """Somebody in a group. Groups hold no groups."""

    value: Annotated[str | None, Mutability.immutable, CaseExact.true] = None
    """The id of the user."""

    ref: Annotated[Reference["User"] | None, Mutability.immutable] = Field(
        None, serialization_alias="$ref", validation_alias="$ref"
    )
    """Where the user is."""

    type: Annotated[str | None, Mutability.immutable] = Field(None, examples=["User"])
    """Always "User"."""


class Group(Resource[Any]):
    """A group, which gives its members a role of the organization, or nothing."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:Group")

    display_name: Annotated[str | None, Uniqueness.server, Required.true] = None
    """The name, by which the role mapping of the connection knows it."""

    members: list[GroupMember] | None = None
    """Who is in it."""

    Members: ClassVar[type[ComplexAttribute]] = GroupMember


CONFIG = ServiceProviderConfig(
    patch=Patch(supported=True),
    bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
    filter=Filter(supported=True, max_results=LARGEST_PAGE),
    change_password=ChangePassword(supported=False),
    sort=Sort(supported=False),
    etag=ETag(supported=True),
    pagination=Pagination(
        cursor=False,
        index=True,
        default_pagination_method=Pagination.DefaultPaginationMethod.index,
        default_page_size=PAGE,
        max_page_size=LARGEST_PAGE,
    ),
    authentication_schemes=[
        AuthenticationScheme(
            type=AuthenticationScheme.Type.oauthbearertoken,
            name="Bearer token",
            description="The SCIM token of the connection, in the header Authorization.",
            primary=True,
        )
    ],
)

PROVIDER = ScimProvider(
    models=[User, Group],
    resource_types=[ResourceType.from_resource(User), ResourceType.from_resource(Group)],
    config=CONFIG,
    policy=ScimPolicy(
        # Providers send what their own directory has; no more is kept than we name.
        unknown=ScimPolicy.Unknown.ignore,
        # Both as Microsoft Entra ID does it.
        remove_value_as_filter=ScimPolicy.RemoveValue.apply,
        unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
    ),
)
