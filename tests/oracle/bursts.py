#!/usr/bin/env python3
"""Alerts as `floodmark replay --alerts` writes them, in the form that sigma.py prints.

    bursts.py ALERTS.ndjson

An alert is an OCSF Detection Finding: the rule's id in `finding_info.analytic.uid`, first and last
sample in `start_time` and `end_time` (milliseconds), `count`, and the group-by fields under
`unmapped.floodmark.key`. Alerts on single records are bursts of a detection rule, on which
sigma.py says nothing: give their rules to compare.py as refused.
"""

import json
import sys


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        for line in file:
            if not line.strip():
                continue
            alert = json.loads(line)
            key = alert["unmapped"]["floodmark"]["key"]
            print(
                "burst",
                alert["finding_info"]["analytic"]["uid"],
                json.dumps(key, sort_keys=True),
                alert["start_time"] // 1000,
                alert["end_time"] // 1000,
                alert["count"],
                sep="\t",
            )


if __name__ == "__main__":
    main()
