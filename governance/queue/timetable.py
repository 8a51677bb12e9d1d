"""What is due how often, in seconds: for whoever watches the jobs without running them. Pure.

What each job does stands in `retention_jobs/schedule.py`, which has the same names and periods.
"""

from collections.abc import Mapping

TIMETABLE: Mapping[str, int] = {
    "seal-checkpoint": 60,
    "seal-decisions": 60,
    "settle-policies": 30,
    "run-shadows": 10,
    "run-erasures": 5,
    "probe-erasures": 3600,
    "report-opendsr": 10,
    "build-packages": 60,
    "tell-recipients": 30,
    "match-rights-requests": 5,
    "run-rights-clocks": 600,
    "run-imports": 5,
    "run-screenings": 5,
    "run-retention": 5,
    "deliver-webhooks": 2,
    "reset-inactive": 3600,
    "re-evaluate-transfers": 600,
    "expire-consents": 60,
    "announce-reconfirmations": 3600,
    "sweep-retention": 86400,
    "carry-out-retention": 30,
    "notify-holds": 3600,
    "end-own-data": 86400,
    "forget-deliveries": 3600,
    "forget-expired": 3600,
    "close-tenants": 3600,
    "rewrite-files": 86400,
    "rotate-keys": 3600,
}
