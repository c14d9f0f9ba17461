"""The requirements on callers in the dependencies and signatures of an endpoint."""
