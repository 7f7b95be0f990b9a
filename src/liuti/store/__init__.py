"""What is kept: tables, the one write path, the ledger, letters and readings. Only these rooms know the database."""
