"""Small faults put into a module one by one, to see whether its tests notice."""
