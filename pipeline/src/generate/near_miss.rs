//! Near misses: what looks like an attack to a detector that counts wrongly, and is none.
//!
//! In a feed with duplicates every record of a near miss comes twice, so that whoever counts
//! records instead of events trips over it.

use super::organisation::Kind::{Execution, ServiceLinked, SingleSignOn, User};
use super::scene::{Line, Scene, Stage};
use super::{Outcome, Quirk};

/// A near miss to the rule named in `why`.
const fn scene(
    why: &'static str,
    cast: u32,
    kind: super::organisation::Kind,
    span_secs: i64,
    play: fn(&mut Stage<'_>),
) -> Scene {
    Scene { codes: &[], why, cast, kind, span_secs, play }
}

pub(super) const SCENES: &[Scene] = &[
    scene("DOS-01: 19 jobs in ten minutes", 1, Execution, 600, |stage| {
        for n in 0..19 {
            stage.put(job(i64::from(n) * 33, n));
        }
    }),
    scene(
        "DOS-01: a job every 32 seconds for half an hour, at most 19 in ten minutes",
        1,
        Execution,
        1_800,
        |stage| {
            for n in 0..56 {
                stage.put(job(i64::from(n) * 32, n));
            }
        },
    ),
    scene(
        "DOS-02: 9 endpoints in eight minutes, and 9 more after eleven",
        1,
        Execution,
        1_700,
        |stage| {
            for n in 0..18_u32 {
                stage.put(Line {
                    at: i64::from(n) * 60 + i64::from(n / 9) * 610,
                    call: ("sagemaker", "CreateEndpoint"),
                    resource: n,
                    ..Line::ORDINARY
                });
            }
        },
    ),
    scene("DOS-02: another service's CreateEndpoint", 1, Execution, 400, |stage| {
        for n in 0..40 {
            stage.put(Line {
                at: i64::from(n) * 10,
                call: ("dms", "CreateEndpoint"),
                resource: n,
                ..Line::ORDINARY
            });
        }
    }),
    scene("DOS-02: automatic scaling of one endpoint", 1, ServiceLinked, 580, |stage| {
        for n in 0..20_u16 {
            stage.put(Line {
                at: i64::from(n) * 29,
                call: ("sagemaker", "UpdateEndpointWeightsAndCapacities"),
                count: 1 + n % 3,
                quirk: Quirk::Scaling,
                ..Line::ORDINARY
            });
        }
    }),
    scene("DOS-03: throttled every two seconds, minute after minute", 1, Execution, 600, |stage| {
        for n in 0..300 {
            stage.put(Line { at: i64::from(n) * 2, outcome: Outcome::Throttled, ..Line::ORDINARY });
        }
    }),
    scene("DOS-04: one model deleted again and again", 1, SingleSignOn, 400, |stage| {
        for n in 0..40 {
            stage.put(Line {
                at: i64::from(n) * 10,
                call: ("sagemaker", "DeleteModel"),
                ..Line::ORDINARY
            });
        }
    }),
    scene("DOS-05: a tuning job of exactly 100 jobs, 10 at a time", 1, Execution, 1, |stage| {
        stage.put(Line {
            call: ("sagemaker", "CreateHyperParameterTuningJob"),
            count: 100,
            ..Line::ORDINARY
        });
    }),
    scene(
        "DOS-06: a class of 45 starts its notebooks in ten minutes",
        15,
        SingleSignOn,
        600,
        |stage| {
            for n in 0..45 {
                stage.put(Line {
                    at: i64::from(n) * 13,
                    who: n % 15,
                    call: ("sagemaker", "StartNotebookInstance"),
                    resource: n,
                    ..Line::ORDINARY
                });
            }
        },
    ),
    scene("RES-02: jobs in two regions, by turns", 1, Execution, 1_800, |stage| {
        for n in 0..10_u8 {
            stage.put(Line { region: n % 2, ..job(i64::from(n) * 190, u32::from(n)) });
        }
    }),
    scene(
        "RES-04: 24 accelerators in an hour, and four times as many refused",
        1,
        Execution,
        1_700,
        |stage| {
            for n in 0..3 {
                stage.put(Line { machine: "ml.p4d.24xlarge", ..job(i64::from(n) * 600, n) });
            }
            stage.put(Line {
                machine: "ml.p4d.24xlarge",
                count: 12,
                outcome: Outcome::LimitExceeded,
                ..job(1_500, 9)
            });
        },
    ),
    scene("CRY-04: two types refused, over and over", 1, User, 500, |stage| {
        for n in 0..12_u32 {
            let machine = if n % 2 == 0 { "ml.c5.2xlarge" } else { "ml.m5.xlarge" };
            stage.put(Line {
                machine,
                outcome: Outcome::LimitExceeded,
                ..job(i64::from(n) * 42, n)
            });
        }
    }),
    scene("EXF-01: an SDK waits for one job", 1, Execution, 1_500, |stage| {
        for n in 0..400 {
            stage.put(Line {
                at: i64::from(n) * 15 / 4,
                call: ("sagemaker", "DescribeTrainingJob"),
                ..Line::ORDINARY
            });
        }
    }),
    scene("EXF-01: 24 jobs read by name, each of them often", 1, SingleSignOn, 590, |stage| {
        for n in 0..96_u32 {
            stage.put(Line {
                at: i64::from(n) * 6,
                call: ("sagemaker", "DescribeTrainingJob"),
                resource: n % 24,
                ..Line::ORDINARY
            });
        }
    }),
    scene("CRE-03: four profiles, opened again and again", 1, SingleSignOn, 580, |stage| {
        for n in 0..20_u32 {
            stage.put(Line {
                at: i64::from(n) * 29,
                call: ("sagemaker", "CreatePresignedDomainUrl"),
                resource: n % 4,
                ..Line::ORDINARY
            });
        }
    }),
    scene("CRE-06: one key from two networks", 1, User, 590, |stage| {
        for n in 0..20_u16 {
            stage.put(Line {
                at: i64::from(n) * 29,
                call: ("s3", "ListBuckets"),
                session: n % 2,
                quirk: Quirk::Roaming,
                ..Line::ORDINARY
            });
        }
    }),
];

fn job(at: i64, resource: u32) -> Line {
    Line { at, call: ("sagemaker", "CreateTrainingJob"), resource, ..Line::ORDINARY }
}
