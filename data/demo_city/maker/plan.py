"""Names and numbers of Riverbend: everything that a person decided, and nothing that was drawn."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

SEED = 20240115
CRS = "EPSG:3436"  # NAD83 / Illinois West, US survey feet
CENTER_X, CENTER_Y = 2_080_000.0, 1_553_500.0
CELL_FT = 250.0
FIRST_DAY, LAST_DAY = date(2021, 1, 1), date(2024, 1, 15)
YEARS = (2021, 2022, 2023)
VINTAGES = (date(2021, 1, 1), date(2022, 1, 1), date(2023, 1, 1), date(2024, 1, 1))
HALF_MILE = 2640.0


def stream(name: str) -> np.random.Generator:
    """A random stream of its own for each part, so that a change in one part leaves the others as they were."""
    return np.random.default_rng([SEED, zlib.crc32(name.encode())])


@dataclass(frozen=True, slots=True)
class Planted:
    """One variable of the planted terrain."""

    factor: str
    layer: str
    operationalization: str
    radius_ft: float
    rrv: float

    @property
    def name(self) -> str:
        """The variable's name, with the radius in feet."""
        return f"{self.factor}_{self.operationalization}_{self.radius_ft:.0f}ft"

    @property
    def beta(self) -> float:
        """The planted coefficient."""
        return float(np.log(self.rrv))


PLANTED = (
    Planted("vacant_lots", "vacant_lots", "density", 750.0, 2.2),
    Planted("dilapidated", "dilapidated", "proximity", 500.0, 1.8),
    Planted("liquor", "liquor", "proximity", 500.0, 2.5),
    Planted("dumping", "requests", "density", 1000.0, 1.6),
    Planted("bus_stops", "bus_stops", "proximity", 250.0, 1.5),
)
NB1_DISPERSION = 1.0  # variance = mean * (1 + dispersion)
PERSISTENT_SHARE = 0.75  # share of the unexplained part that stays from year to year
TOTAL_PER_YEAR = {2021: 2150.0, 2022: 1980.0, 2023: 2060.0}

NEIGHBORHOODS: tuple[tuple[str, float, float, int], ...] = (
    # name, seed x, seed y (feet from the center), council district
    ("Courthouse Square", -5400.0, 700.0, 2),
    ("St. Mary's Landing", -7300.0, 2900.0, 2),
    ("Foundry Row", -6600.0, -1700.0, 2),
    ("Peña Hill", -2600.0, 2500.0, 2),
    ("Germantown", -2200.0, -500.0, 2),
    ("Mill Creek", -3600.0, -3400.0, 4),
    ("Carthage Park", 500.0, 1500.0, 3),
    ("Union Addition", 700.0, -1900.0, 4),
    ("South Bottoms", -6300.0, -5400.0, 4),
    ("Eastgate", 3600.0, 900.0, 3),
    ("Northside", -1400.0, 5600.0, 1),
    ("Bluff View", -5300.0, 5700.0, 1),
    ("Sycamore Heights", 2000.0, 4700.0, 1),
    ("Airport", 7000.0, 7100.0, 1),
    ("Prairie Crossing", 6600.0, 3000.0, 3),
    ("Hickory Glen", 9500.0, 1800.0, 3),
    ("Lakeside", 8100.0, -3100.0, 3),
    ("Fairmount Gardens", 4700.0, -5000.0, 3),
    ("Walnut Grove", 600.0, -5400.0, 4),
    ("Quarry Hills", -2600.0, -8300.0, 4),
    ("Riverton Farms", 4600.0, -7700.0, 4),
    ("Orchard Ridge", -5600.0, 8500.0, 1),
    ("Whitcomb", 700.0, 8500.0, 1),
)

TREES = (
    "Mulberry", "Sycamore", "Catalpa", "Walnut", "Hickory", "Linden", "Locust", "Chestnut", "Hawthorn", "Juniper",
    "Laurel", "Magnolia", "Poplar", "Redbud", "Spruce", "Sumac", "Tamarack", "Willow", "Cedar", "Dogwood", "Elm",
    "Hazel", "Ironwood", "Aspen", "Birch", "Buckeye", "Cherry", "Cottonwood", "Cypress", "Hackberry", "Holly",
    "Larch", "Maple", "Oak", "Osage", "Pawpaw", "Pecan", "Persimmon", "Pine", "Plum", "Sassafras", "Tupelo",
)  # fmt: skip
PEOPLE = (
    "Peña", "Carver", "Douglass", "Hamlin", "Ketchum", "Lovejoy", "Marquette", "Joliet", "Tecumseh", "Addams",
    "Bradwell", "Coles", "Edwards", "Ford", "Grimké", "Harlan", "Ingersoll", "Judd", "Koerner", "Logan", "Medill",
    "Nicolay", "Oglesby", "Palmer", "Quincy", "Reynolds", "Shields", "Trumbull", "Ullman", "Vachel", "Wentworth",
    "Yates", "Zane", "Altgeld", "Bissell", "Cullom", "Deneen", "Emmerson", "Fifer", "Hamill", "Kinzie", "Lowden",
    "Mather", "Norris", "Otis", "Pullman",
)  # fmt: skip

# Values that stand for what a city must never keep: a test looks for them everywhere after a run.
CANARY_OWNERS = ("QUILLFEATHER ZEPHYRINE", "THISTLEWICK ODALYS", "VANTABRIER MORDECAI", "OSTERHAGEN-PLUM IDRISSA")
CANARY_RACE = "RACEKESTREL7719"
CANARY_SEX = "SEXHERON4402"
CANARY_AGE = "AGEOSPREY8836"
CANARY_CALLERS = ("CALLERNIGHTJAR LUDMILLA", "CALLERBITTERN ANSELM")


def bump(x: NDArray[np.float64], y: NDArray[np.float64], at: tuple[float, float], scale: float) -> NDArray[np.float64]:
    """A Gaussian hill of height 1."""
    return np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * scale**2))


def ripple(name: str, x: NDArray[np.float64], y: NDArray[np.float64], wavelength: float) -> NDArray[np.float64]:
    """A smooth random field of about unit variance: a sum of sixteen plane waves."""
    rng = stream(f"ripple {name}")
    total = np.zeros_like(np.asarray(x, dtype=np.float64))
    for _ in range(16):
        angle, phase = rng.uniform(0, 2 * np.pi, 2)
        wave = 2 * np.pi / (wavelength * rng.uniform(0.7, 1.6))
        total = total + np.cos(wave * (np.cos(angle) * x + np.sin(angle) * y) + phase)
    return total / np.sqrt(8.0)


def hardship(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where the city has lost people and money; feet from the center, roughly -0.5 to 2."""
    hills = (
        1.5 * bump(x, y, (-1500.0, 2400.0), 1900.0)
        + 1.5 * bump(x, y, (700.0, -1700.0), 1700.0)
        + 1.2 * bump(x, y, (-6100.0, -4900.0), 1700.0)
        + 0.7 * bump(x, y, (-5200.0, 5300.0), 1500.0)
        + 0.5 * bump(x, y, (3300.0, 1000.0), 1400.0)
    )
    return hills - 0.6 * bump(x, y, (9000.0, 0.0), 3500.0) + 0.25 * ripple("hardship", x, y, 3500.0)
