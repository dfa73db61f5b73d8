"""What the labs play with: for each lab a module of panels and small tables.

A panel's function is pure but for the clock where time is what it shows; figures, tables and
sentences come from `viz`.
"""
