"""Grading: answers are run apart, probed with fresh inputs, and judged by what they give back.

`grade` takes one submission and gives a `Score`. The learner's code runs in a process of its own,
under limits; what is right is decided here, from data. A class is the same call many times
(`classroom`). Processes of one user are no security boundary: for exams, run it in a container.
"""
