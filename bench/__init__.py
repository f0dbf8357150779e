"""Measures Entrepot beside Debian's docker-registry and nginx; `python -m bench` prints medians and ratios."""
