"""Which services exist and who calls whom; it knows no ports and no secrets."""

SERVICES = ("auth", "booking", "payment", "notification", "support", "analytics")
GATEWAY = "gateway"
PROGRAMS = (*SERVICES, GATEWAY)

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
