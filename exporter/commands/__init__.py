"""The commands of the command line, and their flags and exit status."""
