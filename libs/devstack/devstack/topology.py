"""Which services exist and who calls whom; it knows no ports and no secrets."""

SERVICES = ("auth", "booking", "payment", "notification", "support", "analytics")
GATEWAY = "gateway"
PROGRAMS = (*SERVICES, GATEWAY)
FOLLOWER = "gateway-follow"
"""The gateway's other role, a process of its own: it consumes events and answers nobody."""
PROCESSES = (*PROGRAMS, FOLLOWER)


def program_of(process: str) -> str:
    """The program that a kind of process runs."""
    return GATEWAY if process == FOLLOWER else process


CALLS: dict[str, tuple[str, ...]] = {
    "auth": ("booking", "payment"),
    "booking": ("auth", "payment"),
    "payment": ("auth", "booking"),
    "notification": ("auth", "booking", "support"),
    "support": ("auth", "booking"),
    "analytics": ("auth",),
    GATEWAY: SERVICES,
}
"""Program → the services it has a gRPC channel to."""
