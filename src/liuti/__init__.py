"""liuti 六题: an engine for citizens' issues, from proposal to evaluation."""

__version__ = "0.1.0"
