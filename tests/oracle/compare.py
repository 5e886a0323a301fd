#!/usr/bin/env python3
"""Compares two files in the form that sigma.py prints: pySigma's and Floodmark's.

    compare.py ORACLE.tsv OURS.tsv [--refused FILE]

Event ids on which either side says it has no say are left out on both. Keys are compared without
regard to case, because pySigma folds them. A `-` fits anything. Rules that stand in one file only
are differences, unless they are in --refused. Exits with 1 if anything differs.
"""

import argparse
import json
import sys


def load(path):
    detections, bursts = {}, {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            kind, rule, *rest = line.rstrip("\n").split("\t")
            if kind == "detection":
                ids, skipped = (rest + [""])[:2]
                detections[rule] = (set(ids.split()), set(skipped.split()))
            elif kind == "burst":
                key, *numbers = rest
                folded = {k: str(v).lower() for k, v in json.loads(key).items()}
                bursts.setdefault(rule, []).append((json.dumps(folded, sort_keys=True), *numbers))
            else:
                sys.exit(f"{path}:{number}: neither detection nor burst: {kind}")
    return detections, bursts


def same(one, other):
    return all(a == b or "-" in (a, b) for a, b in zip(one, other, strict=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("oracle")
    parser.add_argument("ours")
    parser.add_argument("--refused", metavar="FILE")
    arguments = parser.parse_args()
    excused = set()
    if arguments.refused:
        with open(arguments.refused, encoding="utf-8") as file:
            excused = {line.split("\t")[0] for line in file if line.strip()}
    theirs, their_bursts = load(arguments.oracle)
    ours, our_bursts = load(arguments.ours)
    differences = []
    matched = 0
    for rule in sorted((theirs.keys() | ours.keys()) - excused):
        if rule not in theirs or rule not in ours:
            differences.append(f"{rule}: only in {'oracle' if rule in theirs else 'ours'}")
            continue
        silent = theirs[rule][1] | ours[rule][1]
        expected, found = theirs[rule][0] - silent, ours[rule][0] - silent
        matched += len(expected & found)
        for event in sorted(expected - found):
            differences.append(f"{rule}: {event} matches only in the oracle")
        for event in sorted(found - expected):
            differences.append(f"{rule}: {event} matches only in ours")
    agreed = 0
    for rule in sorted((their_bursts.keys() | our_bursts.keys()) - excused):
        rest = list(our_bursts.get(rule, []))
        for burst in their_bursts.get(rule, []):
            twin = next((other for other in rest if same(burst, other)), None)
            if twin is None:
                differences.append(f"{rule}: burst only in the oracle: {burst}")
            else:
                rest.remove(twin)
                agreed += 1
        differences.extend(f"{rule}: burst only in ours: {burst}" for burst in rest)
    for difference in differences:
        print(difference)
    print(
        f"{len(theirs.keys() & ours.keys())} detections compared, {matched} matches and "
        f"{agreed} bursts agree, {len(differences)} differences"
    )
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
