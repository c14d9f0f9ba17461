"""An edge for tests and local development; production imports none of it."""
