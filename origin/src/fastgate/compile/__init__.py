"""Read an app and compile it into the route table of the edge."""
