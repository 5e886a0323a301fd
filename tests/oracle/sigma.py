#!/usr/bin/env python3
"""What pySigma says about rules and records.

    sigma.py RULES_DIR RECORDS... [--lists FILE] [--kind KIND] [--refused FILE]

RECORDS are NDJSON files, gzip or plain. Prints one line a rule, sorted, fields parted by tabs:

    detection    rule id    event ids, sorted, parted by spaces    event ids without a say
    burst        rule id    key as JSON    first    last    count

A record without an event id is called `@n`, n its place in the input from 1. A correlation over
correlations has `-` for first and count. Rules that cannot be judged go to --refused (else stderr),
each with the reason. --lists is a YAML file of what stands for `%name%`.
"""

import argparse
import gzip
import json
import os
import sys

# This file is named like the package it needs: its own folder must not be searched first.
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path = [p for p in sys.path if os.path.abspath(p or ".") != HERE] + [HERE]

import yaml  # noqa: E402

from judge import Judge  # noqa: E402
import rules  # noqa: E402


def read(paths):
    for path in paths:
        opened = gzip.open if path.endswith(".gz") else open
        with opened(path, "rt", encoding="utf-8") as file:
            for line in file:
                if line.strip():
                    yield json.loads(line)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rules_dir")
    parser.add_argument("records", nargs="+")
    parser.add_argument("--lists", metavar="FILE")
    parser.add_argument("--kind", choices=["detection", "burst"])
    parser.add_argument("--refused", metavar="FILE")
    arguments = parser.parse_args()
    lists = {}
    if arguments.lists:
        with open(arguments.lists, encoding="utf-8") as file:
            lists = yaml.safe_load(file)
    documents, refused = accepted(rules.documents(arguments.rules_dir), lists)
    judge = Judge(documents, read(arguments.records))
    lines = []
    for document, matched, skipped in judge.detections():
        lines.append(["detection", rules.identity(document), " ".join(matched), " ".join(skipped)])
    for document in documents:
        if "correlation" in document and not judge.has_a_say(document):
            refused.append([rules.identity(document), "", "records on which SQL has no say"])
        elif "correlation" in document:
            for key, first, last, count in judge.bursts(document):
                shown = ["-" if v is None else str(v) for v in (first, last, count)]
                lines.append(
                    ["burst", rules.identity(document), json.dumps(key, sort_keys=True), *shown]
                )
    for line in sorted(lines):
        if arguments.kind in (None, line[0]):
            print("\t".join(line))
    out = open(arguments.refused, "w", encoding="utf-8") if arguments.refused else sys.stderr
    for line in refused:
        print("\t".join(line), file=out)


def accepted(found, lists):
    """Documents that pySigma loads and turns into SQL, and those that it does not, with reasons."""
    from sigma.backends.sqlite import sqliteBackend
    from sigma.collection import SigmaCollection

    documents, refused = [], []
    for path, document in found:
        missing = rules.placeholders(document) - lists.keys()
        try:
            if missing:
                raise ValueError(f"lists not given: {', '.join(sorted(missing))}")
            if rules.ours(document):
                raise ValueError("a kind that Sigma does not have")
            document = rules.filled(document, lists)
            if "detection" in document:
                sqliteBackend(fulltext_field="all_text").convert(
                    SigmaCollection.from_dicts([document])
                )
            documents.append(document)
        except Exception as error:  # whatever pySigma raises is its reason
            refused.append([rules.identity(document), path, f"{type(error).__name__}: {error}"])
    # A correlation whose member was refused has nothing to stand on.
    while True:
        known = {d.get("name") for d in documents} | {d.get("id") for d in documents}
        fallen = [
            d for d in documents if "correlation" in d and set(d["correlation"]["rules"]) - known
        ]
        if not fallen:
            return documents, refused
        for document in fallen:
            documents.remove(document)
            refused.append([rules.identity(document), "", "a rule that it counts is refused"])


if __name__ == "__main__":
    main()
