"""Configuration: one TOML file; flag > environment > secret files > file > default."""

from mcp_platform.base.config.settings import Settings

__all__ = ["Settings"]
