"""MCP Platform: a self-hosted, security-first gateway and control plane for the Model Context Protocol."""

__version__ = "0.1.0"
