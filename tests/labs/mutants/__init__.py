"""Wrong answers, three or more for each exercise: each must be told from a right one.

`lab_NN.py` has `MUTANTS`: for each exercise's id a list of sources of the learner's function.
"""
