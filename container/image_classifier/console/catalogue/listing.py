"""Which models the screen shows, and in which order: filters and sorting as they stand in its address."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from image_classifier.console.catalogue import availability
from image_classifier.console.catalogue.availability import Availability
from image_classifier.console.catalogue.speed import Speed, Speeds
from image_classifier.model_hub import catalogue, selection
from image_classifier.model_hub.catalogue import CatalogueModel
from image_classifier.model_hub.measured import MEASURED, Measured

SIZES = (160, 224, 299, 384, 600)
"""Upper bounds of the input's longer side, in pixels, to choose among."""
UNKNOWN_LICENCE = "unknown"
PER_PAGE = 25
"""Models on one page of the list."""


@dataclass(frozen=True)
class Row:
    """One model of the list."""

    model: CatalogueModel
    place: Availability
    measured: Measured | None
    """On the benchmark's machine."""
    speed: Speed | None
    """On this machine."""

    @property
    def recommended(self) -> bool:
        """Whether it is the model to begin with."""
        return self.model.model_id == catalogue.RECOMMENDED

    @property
    def here_milliseconds(self) -> float | None:
        """Measured on this machine."""
        return self.speed.milliseconds if self.speed else None

    @property
    def images_per_second(self) -> float | None:
        """On the benchmark's machine."""
        return self.measured.images_per_second if self.measured else None


@dataclass(frozen=True)
class Query:
    """What the address asks for; empty texts: everything."""

    search: str = ""
    family: str = ""
    size: str = ""
    """The longest side at most, in pixels."""
    licence: str = ""
    offline: str = ""
    """`yes`: only models that work offline."""
    measured: str = ""
    """`yes`: only models with a measured speed."""
    sort: str = ""
    """A key of `ORDERS`, with a minus in front for the reverse; empty: recommended first, then the fastest."""
    page: str = ""
    """From 1; empty: the first."""

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "Query":
        """Return the query of an address; unknown parameters and values that say nothing are left out."""
        known = {one.name: given[one.name].strip()[:200] for one in fields(cls) if one.name in given}
        query = cls(**known)
        families = {name.lower(): name for name in catalogue.FAMILIES}
        return replace(
            query,
            family=families.get(query.family.lower(), ""),
            size=query.size if query.size in map(str, SIZES) else "",
            licence=query.licence if query.licence in LICENCES else "",
            sort=query.sort if query.sort.removeprefix("-") in ORDERS else "",
            page=query.page if query.page.isascii() and query.page.isdecimal() else "",
        )

    def parameters(self, **changes: str) -> dict[str, str]:
        """Return the address's parameters after some changes; empty ones are left out, and so is the page."""
        changed = replace(self, **{"page": "", **changes})
        return {one.name: value for one in fields(self) if (value := getattr(changed, one.name))}

    @property
    def filters(self) -> bool:
        """Whether any model may be left out."""
        return replace(self, sort="", page="") != Query()


LICENCES: tuple[str, ...] = tuple(sorted({model.licence or UNKNOWN_LICENCE for model in catalogue.MODELS.values()}))
ORDERS: Mapping[str, Callable[[Row], float | str | None]] = {
    "name": lambda row: row.model.short_name,
    "family": lambda row: row.model.family.lower(),
    "size": lambda row: max(row.model.image_size),
    "parameters": lambda row: row.model.parameters,
    "here": lambda row: row.here_milliseconds,
    "speed": lambda row: row.images_per_second,
    "memory": lambda row: row.measured.serving_megabytes if row.measured else None,
    "accuracy": lambda row: row.measured.accuracy if row.measured else None,
    "licence": lambda row: row.model.licence or UNKNOWN_LICENCE,
    "place": lambda row: list(Availability).index(row.place),
}
"""What the list may be sorted by; rows without a value come last either way."""


@dataclass(frozen=True)
class Found:
    """One page of the rows of a query."""

    rows: tuple[Row, ...]
    total: int
    """On all pages."""
    staged: int
    """How many of these are staged."""
    page: int
    """From 1."""
    pages: int


def find(query: Query, speeds: Speeds) -> Found:
    """Return the models that a query asks for, in its order."""
    models = selection.by_speed(selection.select(query.family or None, query.search))
    rows = [row(model, speeds) for model in models]
    rows = _ordered([one for one in rows if _fits(one, query)], query.sort)
    pages = max(-(-len(rows) // PER_PAGE), 1)
    page = min(max(int(query.page or 1), 1), pages)
    some = tuple(rows[(page - 1) * PER_PAGE : page * PER_PAGE])
    return Found(some, len(rows), sum(one.place is Availability.STAGED for one in rows), page, pages)


def row(model: CatalogueModel, speeds: Speeds) -> Row:
    """Return the row of one model."""
    return Row(model, availability.place_of(model), MEASURED.get(model.model_id), speeds.of(model))


def _fits(row: Row, query: Query) -> bool:
    model = row.model
    return (
        (not query.size or max(model.image_size) <= int(query.size))
        and (not query.licence or (model.licence or UNKNOWN_LICENCE) == query.licence)
        and (not query.offline or row.place.works_offline)
        and (not query.measured or row.measured is not None or row.speed is not None)
    )


def _ordered(rows: Sequence[Row], sort: str) -> list[Row]:
    if not sort:
        return sorted(rows, key=lambda row: not row.recommended)
    order = ORDERS[sort.removeprefix("-")]
    known = [(value, row) for row in rows if (value := order(row)) is not None]
    known.sort(key=lambda pair: pair[0], reverse=sort.startswith("-"))
    return [row for _, row in known] + [row for row in rows if order(row) is None]
