//! What holds of reviews, by example and by property.

use super::*;
use crate::domain::cases;

fn rubric() -> Rubric {
    let c = |id: &str, weight| Criterion { id: id.into(), weight, asks: "?".into() };
    Rubric { threshold: None, guidance: String::new(), criterion: vec![c("right", 3.0), c("clear", 1.0)] }
}

fn fix(number: u32) -> Fix {
    Fix { number, text: format!("do {number}"), criterion: None, closed: false, evidence: None }
}

fn answer(right: f64, clear: f64, fixes: &[&str], earlier: &[(u32, bool)]) -> String {
    serde_json::json!({
        "criteria": [{"id": "right", "score": right, "evidence": "a.rs:3"}, {"id": "clear", "score": clear, "evidence": "the result"}],
        "fixes": fixes.iter().map(|f| serde_json::json!({"text": f})).collect::<Vec<_>>(),
        "earlier": earlier.iter().map(|(fix, closed)| serde_json::json!({"fix": fix, "closed": closed, "evidence": "seen"})).collect::<Vec<_>>(),
    })
    .to_string()
}

fn read(text: &str, open: &[Fix]) -> Result<Judgement, String> {
    judgement(text, &rubric(), 0.8, open)
}

#[test]
fn an_answer_is_read_whatever_stands_around_it_and_the_score_is_ours() {
    let plain = read(&answer(1.0, 0.5, &[], &[]), &[]).unwrap();
    assert_eq!(score(&plain, &rubric()), 0.875);
    assert_eq!(read(&format!("Here:\n```json\n{}\n```", answer(1.0, 0.5, &[], &[])), &[]), Ok(plain));
}

#[test]
fn what_is_no_judgement_is_refused_and_says_why() {
    let judged = |text: &str, open: &[Fix]| read(text, open).unwrap_err();
    for (text, open, says) in [
        ("Looks good to me!".to_owned(), vec![], "no JSON object"),
        (r#"{"verdict": "good"}"#.to_owned(), vec![], "not of the asked form"),
        (answer(1.0, 1.0, &[], &[]).replace("\"clear\"", "\"nice\""), vec![], "`nice` is no criterion"),
        (answer(1.0, 1.0, &[], &[]).replace("\"clear\"", "\"right\""), vec![], "judged twice"),
        (answer(1.0, 8.0, &[], &[]), vec![], "which is not 0 to 1"),
        (answer(1.0, 1.0, &[], &[]).replace("a.rs:3", " "), vec![], "the evidence for `right` is empty"),
        (r#"{"criteria":[{"id":"right","score":1,"evidence":"x"}],"fixes":[]}"#.to_owned(), vec![], "`clear` is not judged"),
        (answer(0.1, 0.1, &[], &[]), vec![], "names no fix"),
        (answer(0.1, 0.1, &["x"; 21], &[]), vec![], "21 fixes"),
        (answer(0.1, 0.1, &[" "], &[]), vec![], "fix 1 is empty"),
        (answer(0.1, 0.1, &[&"x".repeat(LONGEST_TEXT + 1)], &[]), vec![], "4001 bytes"),
        (answer(1.0, 1.0, &[], &[]), vec![fix(1)], "whether fix 1 is closed"),
        (answer(1.0, 1.0, &[], &[(2, true)]), vec![fix(1)], "no open fix 2"),
        (answer(1.0, 1.0, &[], &[(1, true), (1, true)]), vec![fix(1)], "fix 1 is judged twice"),
    ] {
        let wrong = judged(&text, &open);
        assert!(wrong.contains(says), "{text}: {wrong}");
    }
}

#[test]
fn what_follows() {
    let of = |text: &str, open: &[Fix], round| conclude(&read(text, open).unwrap(), &rubric(), 0.8, open, round, 3);
    assert_eq!(of(&answer(0.9, 0.9, &["nicer"], &[]), &[], 1), Conclusion::Passed, "a remark holds nothing up");
    let Conclusion::Fixes(fixes) = of(&answer(0.5, 0.9, &["a", "b"], &[]), &[], 1) else { panic!() };
    assert_eq!(fixes.iter().map(|f| (f.number, f.text.as_str())).collect::<Vec<_>>(), [(1, "a"), (2, "b")]);
    let open = [fix(1), fix(2)];
    let Conclusion::Fixes(fixes) = of(&answer(0.9, 0.9, &["new"], &[(1, true), (2, false)]), &open, 2) else {
        panic!("a good score with an open fix")
    };
    assert_eq!(fixes.iter().map(|f| f.text.as_str()).collect::<Vec<_>>(), ["do 2", "new"]);
    assert_eq!(of(&answer(0.9, 0.9, &[], &[(1, true), (2, true)]), &open, 3), Conclusion::Passed);
    assert!(matches!(of(&answer(0.1, 0.9, &["again"], &[]), &[], 3), Conclusion::Deadlock(f) if f.len() == 1));
    let judged = read(&answer(0.9, 0.9, &[], &[(1, true), (2, false)]), &open).unwrap();
    let settled = settled(&open, &judged);
    assert_eq!(settled.iter().map(|f| f.closed).collect::<Vec<_>>(), [true, false]);
    assert_eq!(settled[1].evidence.as_deref(), Some("seen"));
}

#[test]
fn failing_tests_come_first_and_only_once() {
    let Conclusion::Fixes(first) = tests_failed("1 failed\n", &[fix(1)], 1, 3) else { panic!() };
    assert!(first[0].text.ends_with("1 failed") && first[1].text == "do 1");
    let Conclusion::Fixes(second) = tests_failed("2 failed", &first, 2, 3) else { panic!() };
    assert_eq!(second.len(), 2);
    assert!(second[0].text.ends_with("2 failed"));
}

#[test]
fn praise_cannot_make_up_for_nothing() {
    for (result, hollow_) in [
        ("", true),
        (" \n\t", true),
        ("You've hit your usage limit. Try again at 7:19 AM.", true),
        ("Claude AI usage limit reached|1749924000", true),
        ("API Error: 429 {\"type\":\"error\"}", true),
        ("Fixed: the client now waits when the server says too many requests.", false),
        ("Done. The test is green.", false),
    ] {
        assert_eq!(hollow(result).is_some(), hollow_, "{result}");
    }
    let long = format!("# Report on quotas\n\n{}\nquota exceeded means that {}", "The provider says much. ".repeat(20), "x");
    assert_eq!(hollow(&long), None);
}

#[test]
fn a_rubric_that_cannot_be_used_says_why() {
    let with = |f: &dyn Fn(&mut Rubric)| {
        let mut r = rubric();
        f(&mut r);
        r.mistake()
    };
    assert_eq!(with(&|_| {}), None);
    assert!(with(&|r| r.criterion.clear()).unwrap().contains("no [[criterion]]"));
    assert!(with(&|r| r.criterion[1].id = "right".into()).unwrap().contains("twice"));
    assert!(with(&|r| r.criterion[1].id = "a b".into()).unwrap().contains("one word"));
    assert!(with(&|r| r.criterion[0].weight = 0.0).unwrap().contains("above 0"));
    assert!(with(&|r| r.criterion[0].asks = " ".into()).unwrap().contains("asks nothing"));
    assert!(with(&|r| r.threshold = Some(80.0)).unwrap().contains("not 0 to 1"));
}

proptest::proptest! {
    #![proptest_config(cases())]
    #[test]
    fn it_always_ends_and_never_passes_below_the_threshold(
        rounds in proptest::collection::vec((0.0_f64..=1.0, 0.0_f64..=1.0, 0_usize..4, proptest::collection::vec(proptest::bool::ANY, 8)), 1..8),
        max in 1_u32..5,
    ) {
        let mut open: Vec<Fix> = Vec::new();
        for (i, (right, clear, new, closes)) in rounds.into_iter().enumerate() {
            let round = i as u32 + 1;
            let texts: Vec<String> = (0..new).map(|n| format!("round {round} fix {n}")).collect();
            let earlier: Vec<(u32, bool)> = open.iter().map(|f| (f.number, closes[f.number as usize % closes.len()])).collect();
            let text = answer(right, clear, &texts.iter().map(String::as_str).collect::<Vec<_>>(), &earlier);
            let Ok(judged) = read(&text, &open) else { return Ok(()) };
            let got = score(&judged, &rubric());
            match conclude(&judged, &rubric(), 0.8, &open, round, max) {
                Conclusion::Passed => {
                    proptest::prop_assert!(got >= 0.8 && earlier.iter().all(|(_, closed)| *closed));
                    return Ok(());
                }
                Conclusion::Deadlock(fixes) => {
                    proptest::prop_assert!(round >= max && !fixes.is_empty());
                    return Ok(());
                }
                Conclusion::Fixes(fixes) => {
                    proptest::prop_assert!(round < max && !fixes.is_empty());
                    proptest::prop_assert!(fixes.iter().enumerate().all(|(n, f)| f.number == n as u32 + 1 && !f.closed));
                    for (number, _) in earlier.iter().filter(|(_, closed)| !closed) {
                        let text = &open.iter().find(|f| f.number == *number).unwrap().text;
                        proptest::prop_assert!(fixes.iter().any(|f| f.text == *text), "an open fix got lost");
                    }
                    open = fixes;
                }
            }
        }
    }
}
