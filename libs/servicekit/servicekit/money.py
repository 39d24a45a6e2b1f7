"""Exact money: integer minor units and an ISO 4217 code. Floats never appear."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (cents for EUR, yen for JPY)."""

    amount: int
    currency: str

    def __add__(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            message = "cannot add two currencies"
            raise ValueError(message)
        return Money(self.amount + other.amount, self.currency)

    def __mul__(self, factor: int) -> "Money":
        return Money(self.amount * factor, self.currency)
