"""Indicators: cases as they stood at the end of a period, and every rate over them (docs/rules.md §7). Pure."""
