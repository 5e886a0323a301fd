#!/usr/bin/env python3
"""Holds OCSF events against the schema of the version they name, which the package brings along.

    python3 -m venv target/oracle && target/oracle/bin/pip install -r tests/oracle/requirements.txt
    target/oracle/bin/python tests/oracle/ocsf.py pipeline/src/encode/golden/*.json
    floodmark replay .. --alerts - | target/oracle/bin/python tests/oracle/ocsf.py -

Reads JSON events one after the other from files or `-`; attributes the schema does not know are
refused. The exit code is 1 when an event is invalid or there is none at all.
"""
import json
import re
import sys

from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded
from ocsf_json_schema.loader import get_ocsf_schema


def events(text):
    decoder, blank = json.JSONDecoder(), re.compile(r"\s*")
    at = blank.match(text).end()
    while at < len(text):
        event, at = decoder.raw_decode(text, at)
        yield event
        at = blank.match(text, at).end()


def validator(version, class_uid, profiles, known={}):
    key = (version, class_uid, profiles)
    if key not in known:
        schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version))
        name = schema.lookup_class_name_from_uid(class_uid)
        known[key] = Draft202012Validator(schema.get_class_schema(name, list(profiles)))
    return known[key]


def faults(event):
    metadata = event["metadata"]
    check = validator(metadata["version"], event["class_uid"], tuple(sorted(metadata.get("profiles", []))))
    for fault in sorted(check.iter_errors(event), key=lambda fault: list(map(str, fault.path))):
        yield "%s: %s" % ("/".join(map(str, fault.path)) or ".", fault.message[:200])
    if event["type_uid"] != event["class_uid"] * 100 + event["activity_id"]:
        yield "type_uid is not class_uid * 100 + activity_id"


def main(paths):
    count = bad = 0
    for path in paths:
        text = sys.stdin.read() if path == "-" else open(path, encoding="utf-8").read()
        for event in events(text):
            count += 1
            found = list(faults(event))
            bad += bool(found)
            for fault in found:
                print("%s, event %d: %s" % (path, count, fault))
    print("%d events, %d invalid" % (count, bad))
    return 1 if bad or not count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
