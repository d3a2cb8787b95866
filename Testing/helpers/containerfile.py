"""The instructions of a Containerfile, for tests on a machine without a container engine."""

import json
import re


def stages_of(path):
    """A list of (instruction, words or text) for each FROM of the file; the JSON form and COPY become a list of words."""
    text = re.sub(r"^\s*#.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    stages = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            stages.append([])
        rest = rest.strip()
        stages[-1].append((name, json.loads(rest) if rest.startswith("[") else rest.split() if name == "COPY" else rest))
    return stages


def last(stage, name):
    """What the last instruction of that name says."""
    return [rest for instruction, rest in stage if instruction == name][-1]
