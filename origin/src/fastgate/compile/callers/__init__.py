"""Which callers the dependencies and signatures of an endpoint ask for."""
