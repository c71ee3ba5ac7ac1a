"""The database: one transaction at a time, one schema, migrations up and down. No feature's tables stand here."""
