"""The six steps: who may make which move, when, on what condition, telling whom. Pure: no database, framework or clock."""
