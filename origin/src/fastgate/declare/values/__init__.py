"""Values of members of `at_edge` that have a class of their own."""
