"""Compare the route that the app runs with the route that the edge judged."""
