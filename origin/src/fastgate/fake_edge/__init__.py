"""An edge for tests and local development. Production imports none of it."""
