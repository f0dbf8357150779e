"""Who may do what: authenticators, which judge what a request presents. Must not know HTTP servers or registries."""
