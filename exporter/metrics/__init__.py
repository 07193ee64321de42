"""The metrics: their catalogue, what is counted, what polls built, and how it is written."""
