"""The State Council's yearly notices that come with the package, one file a year."""

from importlib.resources import files

from liuti.flow.calendar import Notice


def notices() -> tuple[Notice, ...]:
    """Every notice shipped, the earliest year first."""
    found = (item for item in files(__name__).iterdir() if item.name.endswith(".toml"))
    return tuple(sorted((Notice.parse(item.read_text("utf-8")) for item in found), key=lambda notice: notice.year))
