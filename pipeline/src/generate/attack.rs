//! Attacks: at least one for each of the playbook's nine scenarios, each clearly over its rule's mark
//! and over no other's.
//!
//! Where two rules are bound to see the same calls, the scene names both.

use super::organisation::Kind::{Execution, SingleSignOn, User};
use super::scene::{Line, Scene, Stage};
use super::{Outcome, Quirk};

/// The bursts first, then what one or a few calls give away.
pub(super) const SCENES: &[Scene] = &[
    Scene {
        codes: &["DOS-01"],
        why: "30 training jobs on small machines in five minutes",
        cast: 1,
        kind: Execution,
        span_secs: 290,
        play: mass_jobs,
    },
    Scene {
        codes: &["DOS-02"],
        why: "14 endpoints created or changed in seven minutes",
        cast: 1,
        kind: Execution,
        span_secs: 416,
        play: mass_endpoints,
    },
    // Throttling in bulk is counted over SageMaker, and over all services together.
    Scene {
        codes: &["DOS-03", "AWS-07"],
        why: "70 calls throttled within 45 seconds",
        cast: 1,
        kind: Execution,
        span_secs: 45,
        play: flood,
    },
    Scene {
        codes: &["DOS-04"],
        why: "16 models, endpoints and jobs deleted or stopped in five minutes",
        cast: 1,
        kind: SingleSignOn,
        span_secs: 300,
        play: destruction,
    },
    Scene {
        codes: &["DOS-05"],
        why: "one tuning job of 500 training jobs, 50 at a time",
        cast: 1,
        kind: Execution,
        span_secs: 1,
        play: oversized_tuning,
    },
    Scene {
        codes: &["DOS-06"],
        why: "60 requests for compute in one account, 15 by each of four roles, in nine minutes",
        cast: 4,
        kind: Execution,
        span_secs: 540,
        play: mass_compute,
    },
    Scene {
        codes: &["RES-02"],
        why: "one role starts a job in each of four regions within half an hour",
        cast: 1,
        kind: Execution,
        span_secs: 1_800,
        play: many_regions,
    },
    Scene {
        codes: &["RES-04"],
        why: "48 accelerators, asked for by two roles in 40 minutes",
        cast: 2,
        kind: Execution,
        span_secs: 2_400,
        play: many_accelerators,
    },
    // The family is new to the account only against what `history` holds.
    Scene {
        codes: &["CRY-01"],
        why: "an accelerated family new to the account, used in two regions",
        cast: 1,
        kind: User,
        span_secs: 1_200,
        play: new_accelerators,
    },
    Scene {
        codes: &["CRY-04"],
        why: "the quotas of four instance types tried one after another",
        cast: 1,
        kind: User,
        span_secs: 180,
        play: quota_probing,
    },
    Scene {
        codes: &["EXF-01"],
        why: "35 training jobs, models and pipelines read by name in six minutes",
        cast: 1,
        kind: SingleSignOn,
        span_secs: 350,
        play: asset_reading,
    },
    Scene {
        codes: &["CRE-03"],
        why: "sign-in URLs for seven people's profiles in four minutes",
        cast: 1,
        kind: SingleSignOn,
        span_secs: 240,
        play: sign_in_urls,
    },
    Scene {
        codes: &["CRE-06"],
        why: "one access key used from five networks in eight minutes",
        cast: 1,
        kind: User,
        span_secs: 480,
        play: many_networks,
    },
    Scene {
        codes: &["CFG-02"],
        why: "a notebook stopped, given another lifecycle script and started again",
        cast: 1,
        kind: SingleSignOn,
        span_secs: 900,
        play: script_put_under_a_notebook,
    },
    // What a lifecycle script does is one rule's business, that it was written another's.
    Scene {
        codes: &["MAL-01", "CFG-01"],
        why: "a lifecycle script that opens a shell to elsewhere",
        cast: 1,
        kind: SingleSignOn,
        span_secs: 1,
        play: hostile_script,
    },
    Scene {
        codes: &["POI-01"],
        why: "a model package registered, and approved by the same role",
        cast: 1,
        kind: Execution,
        span_secs: 600,
        play: self_approval,
    },
    Scene {
        codes: &["LOG-01"],
        why: "the trail of an account stopped",
        cast: 1,
        kind: User,
        span_secs: 1,
        play: trail_stopped,
    },
];

fn mass_jobs(stage: &mut Stage<'_>) {
    for n in 0..30 {
        stage.put(Line {
            at: i64::from(n) * 10,
            call: ("sagemaker", "CreateTrainingJob"),
            resource: n,
            ..Line::ORDINARY
        });
    }
}

fn mass_endpoints(stage: &mut Stage<'_>) {
    for n in 0..14 {
        let name = if n % 3 == 2 { "UpdateEndpoint" } else { "CreateEndpoint" };
        stage.put(Line {
            at: i64::from(n) * 32,
            call: ("sagemaker", name),
            resource: n,
            ..Line::ORDINARY
        });
    }
}

fn flood(stage: &mut Stage<'_>) {
    for n in 0..70 {
        let name = if n % 2 == 0 { "ListTrainingJobs" } else { "ListModels" };
        stage.put(Line {
            at: i64::from(n) * 45 / 70,
            call: ("sagemaker", name),
            outcome: Outcome::Throttled,
            ..Line::ORDINARY
        });
    }
}

fn destruction(stage: &mut Stage<'_>) {
    let names = ["DeleteModel", "DeleteEndpoint", "DeleteEndpointConfig", "StopTrainingJob"];
    for n in 0..16 {
        stage.put(Line {
            at: i64::from(n) * 20,
            call: ("sagemaker", names[n as usize % names.len()]),
            resource: n,
            ..Line::ORDINARY
        });
    }
}

fn oversized_tuning(stage: &mut Stage<'_>) {
    stage.put(Line {
        call: ("sagemaker", "CreateHyperParameterTuningJob"),
        count: 500,
        ..Line::ORDINARY
    });
}

fn mass_compute(stage: &mut Stage<'_>) {
    let names = ["CreateProcessingJob", "CreateTrainingJob", "CreateTransformJob"];
    for n in 0..60 {
        stage.put(Line {
            at: i64::from(n) * 9,
            who: n % 4,
            call: ("sagemaker", names[n as usize % names.len()]),
            resource: n,
            ..Line::ORDINARY
        });
    }
}

fn many_regions(stage: &mut Stage<'_>) {
    for n in 0..4_u8 {
        stage.put(Line {
            at: i64::from(n) * 600,
            call: ("sagemaker", "CreateTrainingJob"),
            resource: u32::from(n),
            region: n,
            ..Line::ORDINARY
        });
    }
}

fn many_accelerators(stage: &mut Stage<'_>) {
    for n in 0..3_u32 {
        stage.put(Line {
            at: i64::from(n) * 1_200,
            who: n % 2,
            call: ("sagemaker", "CreateTrainingJob"),
            resource: n,
            machine: "ml.p4d.24xlarge",
            count: 2,
            ..Line::ORDINARY
        });
    }
}

fn new_accelerators(stage: &mut Stage<'_>) {
    for n in 0..4_u8 {
        stage.put(Line {
            at: i64::from(n) * 400,
            call: ("sagemaker", "CreateTrainingJob"),
            resource: u32::from(n),
            region: n % 2,
            machine: "ml.p3.2xlarge",
            ..Line::ORDINARY
        });
    }
}

fn quota_probing(stage: &mut Stage<'_>) {
    let machines = ["ml.p5.48xlarge", "ml.p4d.24xlarge", "ml.g6.xlarge", "ml.g5.xlarge"];
    for (n, machine) in machines.into_iter().enumerate() {
        stage.put(Line {
            at: n as i64 * 60,
            call: ("sagemaker", "CreateTrainingJob"),
            resource: n as u32,
            machine,
            outcome: Outcome::LimitExceeded,
            ..Line::ORDINARY
        });
    }
}

fn asset_reading(stage: &mut Stage<'_>) {
    let names = ["DescribeTrainingJob", "DescribeModel", "DescribePipeline"];
    for n in 0..35 {
        stage.put(Line {
            at: i64::from(n) * 10,
            call: ("sagemaker", names[n as usize % names.len()]),
            resource: n,
            ..Line::ORDINARY
        });
    }
}

fn sign_in_urls(stage: &mut Stage<'_>) {
    for n in 0..7 {
        stage.put(Line {
            at: i64::from(n) * 40,
            call: ("sagemaker", "CreatePresignedDomainUrl"),
            resource: n,
            ..Line::ORDINARY
        });
    }
}

fn many_networks(stage: &mut Stage<'_>) {
    let calls = [("sts", "GetCallerIdentity"), ("s3", "ListBuckets"), ("sagemaker", "ListModels")];
    for n in 0..10_u16 {
        stage.put(Line {
            at: i64::from(n) * 53,
            call: calls[usize::from(n) % calls.len()],
            session: n % 5,
            quirk: Quirk::Roaming,
            ..Line::ORDINARY
        });
    }
}

fn script_put_under_a_notebook(stage: &mut Stage<'_>) {
    let names = ["StopNotebookInstance", "UpdateNotebookInstance", "StartNotebookInstance"];
    for (n, name) in names.into_iter().enumerate() {
        stage.put(Line { at: n as i64 * 450, call: ("sagemaker", name), ..Line::ORDINARY });
    }
}

fn hostile_script(stage: &mut Stage<'_>) {
    let call = ("sagemaker", "CreateNotebookInstanceLifecycleConfig");
    stage.put(Line { call, ..Line::ORDINARY });
}

fn self_approval(stage: &mut Stage<'_>) {
    stage.put(Line { call: ("sagemaker", "CreateModelPackage"), ..Line::ORDINARY });
    stage.put(Line { at: 600, call: ("sagemaker", "UpdateModelPackage"), ..Line::ORDINARY });
}

fn trail_stopped(stage: &mut Stage<'_>) {
    stage.put(Line { call: ("cloudtrail", "StopLogging"), ..Line::ORDINARY });
}
