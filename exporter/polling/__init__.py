"""Targets and their polls: the choice of logstores, the schedule and the results."""
