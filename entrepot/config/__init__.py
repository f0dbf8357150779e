"""The configuration file and the environment as one frozen, typed value.

Only `server` and `cli` read it; everything below receives plain values. `load` is the way in.
"""
