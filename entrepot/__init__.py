"""Entrepot: a container registry and pull-through mirror, on CNCF Distribution's configuration and data directory."""

__version__ = "0.1.0"
