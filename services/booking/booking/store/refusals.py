"""What a constraint stands for when it refuses. Knows no table: each store names its own constraints."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy.exc import IntegrityError

from servicekit.database import constraint


@contextmanager
def refusing(by_constraint: Mapping[str, type[Exception]]) -> Iterator[None]:
    """Raises what the violated constraint stands for; IntegrityError when it stands for nothing."""
    try:
        yield
    except IntegrityError as error:
        refusal = by_constraint.get(constraint(error))
        if refusal is None:
            raise
        raise refusal from error
