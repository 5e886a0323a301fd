"""Rule files for pySigma: lists filled in, and what each rule asks of a record."""

import glob
import os
import re

import yaml

CORRELATION_KINDS = {"event_count", "value_count", "value_sum", "temporal", "temporal_ordered"}
OURS = ("first_seen", "surge", "silence")


def documents(directory):
    """All Sigma documents below a directory, each with its file, in a fixed order."""
    found = []
    for path in sorted(glob.glob(os.path.join(directory, "**", "*.y*ml"), recursive=True)):
        if path.endswith((".test.yml", ".test.yaml")):
            continue
        with open(path, encoding="utf-8") as file:
            for document in yaml.safe_load_all(file):
                if document:
                    found.append((os.path.relpath(path, directory), document))
    return found


def filled(node, lists):
    """The document with `field|expand: '%name%'` replaced by the list, as `rules export` does."""
    if isinstance(node, list):
        return [filled(element, lists) for element in node]
    if not isinstance(node, dict):
        return node
    result = {}
    for key, value in node.items():
        if isinstance(key, str) and "|expand" in key:
            key = key.replace("|expand", "")
            values = value if isinstance(value, list) else [value]
            value = [e for v in values for e in (lists[v.strip("%")] if is_list(v) else [v])]
        result[key] = filled(value, lists)
    return result


def is_list(value):
    """Whether a value stands for a list, `%name%`."""
    return value.startswith("%") and value.endswith("%")


def fields(node, found=None):
    """Every field that the document's detections name, fields compared with each other too."""
    found = set() if found is None else found
    if isinstance(node, list):
        for element in node:
            fields(element, found)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in ("condition", "timeframe") and isinstance(value, (str, list)):
                continue
            name, *modifiers = str(key).split("|")
            if "fieldref" in modifiers:
                found.update(value if isinstance(value, list) else [value])
            if not isinstance(value, dict) and not (
                isinstance(value, list) and any(isinstance(e, dict) for e in value)
            ):
                found.add(name)
            else:
                fields(value, found)
    return found


def asked(document):
    """Fields a document asks for: of its detections, or of its correlation."""
    if "correlation" not in document:
        return fields(document.get("detection", {}))
    correlation = document["correlation"]
    found = {f for f in correlation.get("group-by", [])}
    aliases = correlation.get("aliases") or {}
    for name, members in aliases.items():
        found.discard(name)
        found.update(members.values())
    condition = correlation.get("condition")
    if isinstance(condition, dict) and condition.get("field"):
        field = condition["field"]
        found.update(field if isinstance(field, list) else [field])
    return found


def identity(document):
    """How a rule is called in the output: its id, else its name, else its title."""
    return str(document.get("id") or document.get("name") or document.get("title"))


def seconds(text):
    """A Sigma timespan in seconds."""
    amount, unit = re.fullmatch(r"(\d+)([smhd])", str(text)).groups()
    return int(amount) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit]


def placeholders(node, found=None):
    """Names of the lists that a document asks for."""
    found = set() if found is None else found
    if isinstance(node, list):
        for element in node:
            placeholders(element, found)
    elif isinstance(node, dict):
        for key, value in node.items():
            if isinstance(key, str) and "|expand" in key:
                values = value if isinstance(value, list) else [value]
                found.update(v.strip("%") for v in values if is_list(v))
            placeholders(value, found)
    return found


def ours(document):
    """Whether the document says what Sigma cannot: then pySigma has no opinion on it."""
    extension = document.get("floodmark") or {}
    return any(key in extension for key in OURS)
