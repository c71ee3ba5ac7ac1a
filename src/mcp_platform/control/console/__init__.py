"""The people's surface. For now only the page behind the set-up link."""
