"""What only nbgrader's Python can say: run as a script, it prints JSON.

`validate FILE ...` says what is wrong with the metadata of each notebook, `points COURSE
ASSIGNMENT` what each student earned in each cell.
"""

import json
import logging
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")


def validate(*files: str) -> dict[str, str]:
    """The error of each notebook that nbgrader's validator refuses."""
    from nbgrader import nbgraderformat
    from nbgrader.preprocessors import CheckCellMetadata

    logging.disable()
    found = {}
    for file in files:
        try:
            with Path(file).open(encoding="utf-8") as text:
                notebook = nbgraderformat.read(text, as_version=4)
            CheckCellMetadata().preprocess(notebook, {})
        except Exception as error:
            found[file] = f"{type(error).__name__}: {error}"
    return found


def points(course: str, assignment: str) -> dict[str, dict[str, tuple[float | None, float]]]:
    """Earned and possible points, by student and cell."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        return {
            handed_in.student.id: {
                grade.name: (grade.auto_score, grade.max_score)
                for notebook in handed_in.notebooks
                for grade in notebook.grades
            }
            for handed_in in book.assignment_submissions(assignment)
        }


if __name__ == "__main__":
    print(json.dumps({"validate": validate, "points": points}[sys.argv[1]](*sys.argv[2:])))
