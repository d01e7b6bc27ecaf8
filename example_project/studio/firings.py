"""Example data of the product: this week's firings, with dates relative to today."""

from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, kw_only=True)
class Firing:
    """A firing; `full` is the used shelf space in per cent."""

    kiln: str
    kind: str
    day: date
    hour: str
    stage: str
    pieces: int
    full: int

    @property
    def is_hot(self) -> bool:
        """Return whether the kiln must stay closed."""
        return self.stage in {"Firing", "Cooling"}


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """Finished pieces on a shelf for their maker."""

    maker: str
    pieces: str
    place: str


READY = [
    Shelf(maker="Ines", pieces="4 mugs, celadon", place="Shelf 2, left"),
    Shelf(maker="Tomas", pieces="Tall vase, tenmoku", place="Shelf 2, right"),
    Shelf(maker="Wednesday class", pieces="11 pinch pots", place="Trolley"),
]


def get_firings(today: date) -> list[Firing]:
    """Return the firings from yesterday until five days from now, the earliest first."""

    def create_firing(days: int, hour: str, kiln: str, kind: str, stage: str, pieces: int, full: int) -> Firing:
        day = today + timedelta(days=days)
        return Firing(kiln=kiln, kind=kind, day=day, hour=hour, stage=stage, pieces=pieces, full=full)

    return [
        create_firing(-1, "19:00", "Big Bertha", "Bisque, cone 06", "Cooling", 46, 100),
        create_firing(0, "08:30", "Minnow", "Glaze test, cone 6", "Firing", 9, 85),
        create_firing(1, "18:00", "Big Bertha", "Glaze, cone 6", "Loading", 31, 72),
        create_firing(3, "07:00", "Old Faithful", "Stoneware, cone 10", "Booked", 18, 40),
        create_firing(5, "18:00", "Big Bertha", "Bisque, cone 06", "Booked", 7, 15),
    ]
