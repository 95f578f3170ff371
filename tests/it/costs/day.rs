//! A day with a real engine: schedules, skills, retries, what was never told. What `orc cost` exports adds up to the attempts.

use super::caps::modelled;
use crate::engine::Bench;
use orc::domain::{CostBy, JobId, JobSpec, JobState, Usage};
use serde_json::Value;

const COUNTS: [&str; 6] = ["input", "output", "cache_read", "cache_write", "estimated", "attempts"];

fn cost(b: &Bench, args: &[&str]) -> (Option<i32>, String) {
    let out = b.command("orc").arg("cost").args(args).output().unwrap();
    (out.status.code(), String::from_utf8(out.stdout).unwrap() + &String::from_utf8(out.stderr).unwrap())
}

#[test]
fn what_the_command_line_exports_adds_up_to_the_attempts() {
    let mut b = Bench::new(&["memory=false", "token_budget=10000000", "retry_base=0s"]);
    modelled(&b);
    let shell = "[[cron]]\nname = \"NAME\"\nschedule = \"0 3 1 1 *\"\n[cron.job]\ntitle = \"NAME\"\ntype = \"agent\"\nkind = \"maintenance\"\nprompt = \"look\"\n";
    std::fs::write(b.workspace.cron_file(), shell.replace("NAME", "nightly")).unwrap();
    let with = |skills: &[&str], prompt: &str| JobSpec {
        skills: skills.iter().map(|s| (*s).to_owned()).collect(),
        max_attempts: 2,
        ..JobSpec::new("job", "agent", prompt)
    };
    let mut jobs = vec![b.add(with(&["debugging"], "one")), b.add(with(&[], "two")), b.add(with(&["debugging", "planning"], "FAIL"))];
    b.start();
    let made = b.command("pm").args(["cron", "run", "nightly", "--json"]).output().unwrap();
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    jobs.push(JobId(made["id"].as_i64().unwrap()));
    let ends: Vec<JobState> = jobs.iter().map(|j| b.ends(*j)).collect();
    assert_eq!(ends, [JobState::Done, JobState::Done, JobState::Failed, JobState::Done]);
    // The fire is settled a moment later.
    b.within(|| b.store.fires(Some("nightly"), 1).unwrap()[0].found);

    let attempts: Vec<_> = jobs.iter().flat_map(|j| b.attempts(*j)).collect();
    let used = attempts.iter().fold(Usage::default(), |u, a| u + a.usage);
    let estimated: u64 = attempts.iter().map(|a| a.estimated).sum();
    assert!(attempts.len() == 5 && used.total() > 0 && estimated > 0, "{attempts:?}");
    let truth = [used.input, used.output, used.cache_read, used.cache_write, estimated, 5];
    for by in CostBy::ALL {
        let (code, text) = cost(&b, &["--by", by.as_str(), "--csv"]);
        assert_eq!(code, Some(0), "{text}");
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let heads: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let (_, json) = cost(&b, &["--by", by.as_str(), "--json"]);
        let json: Vec<Value> = serde_json::from_str(&json).unwrap();
        for (name, sum) in COUNTS.iter().zip(truth) {
            let column = heads.iter().position(|h| h == name).unwrap();
            assert_eq!(rows.iter().map(|r| r[column].parse::<u64>().unwrap()).sum::<u64>(), sum, "{by} {name}: {text}");
            assert_eq!(json.iter().map(|r| r[*name].as_u64().unwrap()).sum::<u64>(), sum, "{by} {name}");
        }
        let (_, table) = cost(&b, &["--by", by.as_str()]);
        assert!(table.contains("in all"), "{table}");
    }
    let keys = |by: &str| {
        let rows: Vec<Value> = serde_json::from_str(&cost(&b, &["--by", by, "--json"]).1).unwrap();
        rows.into_iter().map(|r| r["key"].as_str().unwrap().to_owned()).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(keys("skill"), ["", "debugging", "debugging + planning"].map(String::from).into());
    assert_eq!(keys("cron"), ["", "nightly"].map(String::from).into());
    let hash = &b.store.skill_versions(Some("debugging")).unwrap()[0].hash[..12];
    assert!(keys("version").contains(&format!("debugging@{hash}")), "{:?}", keys("version"));
    assert!(cost(&b, &["--by", "cron"]).1.contains("1 of 1 (100 %)"), "{}", cost(&b, &["--by", "cron"]).1);
    let overview: Value = serde_json::from_str(&cost(&b, &["--json"]).1).unwrap();
    let upkeep = &overview["maintenance"]["categories"][0];
    assert_eq!(
        (upkeep["category"].as_str(), upkeep["judged"].as_u64(), upkeep["changed"].as_u64()),
        (Some("maintenance"), Some(1), Some(1))
    );
    assert_eq!(overview["period"]["attempts"], 5);
    // Periods: nothing has ended before the beginning, and all since.
    assert_eq!(serde_json::from_str::<Vec<Value>>(&cost(&b, &["--by", "kind", "--until", "1day", "--json"]).1).unwrap().len(), 0);
    for wrong in [&["--csv"][..], &["--by", "kind", "--csv", "--json"], &["--by", "nothing"]] {
        assert_eq!(cost(&b, wrong).0, Some(2), "{wrong:?}");
    }
}
