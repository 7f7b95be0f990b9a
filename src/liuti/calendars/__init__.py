"""The State Council's yearly notices that come with the package, one file a year."""

from importlib.resources import files

from liuti.flow.calendar import Notice


def notices() -> tuple[Notice, ...]:
    """Every notice shipped, the earliest year first."""
    return tuple(sorted(map(Notice.parse, _texts()), key=lambda notice: notice.year))


def words_of(year: int) -> str:
    """The text of the notice shipped for that year, "" when there is none."""
    return next((text for text in _texts() if Notice.parse(text).year == year), "")


def _texts() -> list[str]:
    found = (item for item in files(__name__).iterdir() if item.name.endswith(".toml"))
    return [item.read_text("utf-8") for item in found]
