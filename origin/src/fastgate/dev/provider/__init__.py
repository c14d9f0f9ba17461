"""An OIDC provider for development."""
