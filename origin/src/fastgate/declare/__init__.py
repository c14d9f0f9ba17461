"""What an app declares for the edge with `at_edge`, and where these declarations are kept."""
