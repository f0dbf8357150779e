"""Health: what is checked, how often it may fail, and what all processes of a node know of it."""
