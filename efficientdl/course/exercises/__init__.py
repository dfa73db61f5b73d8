"""The tasks of each lab: one module `lab_NN.py` for each, with a list `TASKS`.

They hold what is asked and with which inputs it is probed, never the answer.
"""
