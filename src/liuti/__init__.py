"""liuti 六题: an engine for citizens' issues, from proposal to evaluation."""
