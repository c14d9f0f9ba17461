"""Run an app, an edge and an OIDC provider for development. Production imports none of it."""
