"""Pure functions from polled values to the state of a shard. The time is a parameter."""
