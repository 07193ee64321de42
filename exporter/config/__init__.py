"""The configuration file: its model, how it is read, and its errors with their positions."""
