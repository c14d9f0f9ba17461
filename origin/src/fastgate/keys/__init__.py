"""The source of the edge's keys, public or shared."""
