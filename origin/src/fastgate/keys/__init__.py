"""Where the public or shared keys of the edge come from."""
