"""The configuration file: its model, its reader, and its errors with their positions."""
