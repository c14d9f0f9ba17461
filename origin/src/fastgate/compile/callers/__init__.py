"""What the dependencies and signatures of an endpoint require of callers."""
