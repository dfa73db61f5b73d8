"""Small tasks beside classification: boxes, labels of pixels, text, and pictures out of noise.

Each module has a network of any width, the task's loss, the measure by which it is judged, and
the matches by which a student of it is taught. They train in seconds.
"""
