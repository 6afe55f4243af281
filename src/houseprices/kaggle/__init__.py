"""The competition's two ends: download, and submit with a ledger."""
