"""Moments to kill in: which process is pinned where, and what the broker and the databases show meanwhile."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from devstack.platform import Platform
from devstack.topology import SERVICES
from servicekit import broker
from servicekit.settings import KafkaSettings
from testkit.wires import KafkaWire, Moment, Pin

from .scene import Scene, start_all


@dataclass(frozen=True, slots=True)
class Pinned:
    """A scene whose services speak to the broker over wires of their own."""

    scene: Scene
    wires: dict[str, KafkaWire]

    def relay(self, service: str, event_type: str, moment: Moment) -> Pin:
        """Before the broker has an event of ours, or after: when the relay has not heard that it has it."""
        tenant = str(self.scene.organization).encode()
        return self.wires[service].pin_call(
            KafkaWire.PRODUCE,
            moment,
            when=lambda frame: (
                event_type.encode() in frame and (tenant in frame or event_type.startswith("comptoir.auth."))
            ),
        )

    def consumer(self, service: str, event_type: str) -> Pin:
        """After the effect of the next event of ours is committed, and before the offset of its record is."""
        handled = self.handled(service, event_type)
        return self.wires[service].pin_call(
            KafkaWire.OFFSET_COMMIT,
            Moment.BEFORE,
            when=lambda _: self.handled(service, event_type) > handled,
        )

    async def kill_in(self, pin: Pin, service: str, *, then: Callable[[], Pin] | None = None) -> Pin | None:
        """kill -9 in the pinned moment; what was held is gone; then the start, into another pin or none."""
        assert pin.reached
        killed = await asyncio.to_thread(self.scene.kill, service)
        self.wires[service].cut()
        following = then() if then else None
        await asyncio.to_thread(start_all, killed)
        return following

    def handled(self, service: str, event_type: str) -> int:
        """How many events of ours have had their effect, as the inbox says."""
        (count,) = self.scene.sql(
            service,
            "SELECT count(*) FROM inbox WHERE type = :'type' AND organization_id = :'organization';",
            type=event_type,
            organization=str(self.scene.organization),
        )
        return int(count)

    def repeated(self, service: str, event_type: str) -> float:
        """How many events a service has recognised as repetitions since it was started."""
        return self.scene.metric(
            service, "comptoir_events_handled_total", type=event_type, outcome="repeated"
        )

    def settled(self, service: str) -> bool:
        """Whether what followed from the effect is done, too: a mail that is under way may come twice."""
        (due,) = self.scene.sql(service, "SELECT count(*) FROM timers WHERE due_at <= now();")
        return due == "0"

    def waiting(self, service: str, event_type: str) -> list[UUID]:
        """Events that are committed, and not marked as published."""
        found = self.scene.sql(
            service,
            "SELECT event_id FROM outbox WHERE type = :'type' AND published_at IS NULL;",
            type=event_type,
        )
        return [UUID(each) for each in found]

    async def log(self, service: str) -> Counter[UUID]:
        """How often the broker has each event of a service."""
        settings = KafkaSettings(
            bootstrap_servers=self.scene.platform.engines.kafka_bootstrap, idempotent_producer=False
        )
        found: Counter[UUID] = Counter()
        async for record in broker.everything(settings, [f"comptoir.{service}.v1"]):
            found[UUID(dict(record.headers)["ce_id"].decode())] += 1
        return found


@contextmanager
def wired(platform: Platform) -> Iterator[dict[str, KafkaWire]]:
    """One process of each service with a wire to the broker; at the end all is as it was. Both by kill -9."""
    wires = {service: KafkaWire(platform.engines.kafka_bootstrap) for service in SERVICES}
    processes = [process for process in platform.programs if process.program in wires]
    kept = [process.environment for process in processes]
    for wire in wires.values():
        wire.start()
    try:
        for process in processes:
            process.kill()
            variable = f"{process.program.upper()}_KAFKA__BOOTSTRAP_SERVERS"
            process.environment = {**process.environment, variable: wires[process.program].address}
        start_all([platform.process(service) for service in wires])
        yield wires
    finally:
        for process, environment in zip(processes, kept, strict=True):
            process.kill()
            process.environment = environment
        start_all(processes)
        for wire in wires.values():
            wire.close()
