"""Folders of submissions as a test makes them, and what `collect` found in them."""

import zipfile

from efficientdl.grading.classroom import collect
from tests.grading.classroom.fakes import notebook

NB = notebook()


def put(folder, *names, data=NB):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def put_zip(path, entries):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return path


def found(folder):
    return {item.place: item.learner for item in collect(folder).submissions}


def refused(folder):
    return {item.place: item.reason for item in collect(folder).refused}
