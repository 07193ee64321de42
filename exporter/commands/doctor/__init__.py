"""The command ``doctor``: it checks the live service step by step and explains the results."""
