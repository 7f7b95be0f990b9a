"""A year of a district that never was, on the real thing: real moves, real workers, some of them killed; then it is counted again."""
