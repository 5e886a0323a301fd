#!/usr/bin/env python3
"""Alerts as `floodmark replay --alerts` writes them, as bursts in the form of README.md.

    alerts.py ALERTS.ndjson

The rule is called by its own code where the alert has one, else by its id.
"""

import datetime
import json
import sys


def instant(milliseconds):
    moment = datetime.datetime.fromtimestamp(milliseconds // 1000, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        for line in file:
            if not line.strip():
                continue
            alert = json.loads(line)
            ours = alert["unmapped"]["floodmark"]
            burst = {
                "rule": ours.get("code") or alert["finding_info"]["analytic"]["uid"],
                "key": ours["key"],
                "first": instant(alert["start_time"]),
                "last": instant(alert["end_time"]),
                "count": alert["count"],
            }
            print(json.dumps(burst))


if __name__ == "__main__":
    main()
