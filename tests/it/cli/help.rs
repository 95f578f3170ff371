use super::{Bench, snapshot};

#[test]
fn the_front_pages_read_well() {
    let b = Bench::bare();
    snapshot!("help-orc", b.run("orc --help"));
    snapshot!("help-pm", b.run("pm help"));
    snapshot!("help-exit-codes", b.run("orc help exit-codes"));
    snapshot!("help-job", b.run("orc help job"), b.run("pm help job add"));
    snapshot!("help-none", b.run("orc"), b.run("orc help nonsense"));
}

#[test]
fn every_command_has_help_that_names_it() {
    let b = Bench::bare();
    let out = b.command("orc").args(["man", "--dir"]).arg(b.path("man")).output().unwrap();
    assert!(out.status.success());
    let pages: Vec<String> = std::fs::read_dir(b.path("man")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert!(pages.iter().any(|p| p == "orc-job-add.1"), "{pages:?}");
    for page in pages.iter().filter(|p| p.starts_with("orc-") && !p.starts_with("orc-help")) {
        let words = page.trim_end_matches(".1").replace('-', " ").replace("from job", "from-job");
        let text = b.run(&format!("{words} --help"));
        assert!(text.contains("[exit 0]") && text.contains(&format!("Usage: {words}")), "{text}");
    }
}

#[test]
fn the_manual_page_has_the_exit_codes_and_the_settings_of_no_machine() {
    let page = Bench::bare().run("orc man");
    assert!(page.contains(".TH orc 1") && page.contains("Exit codes") && page.contains("130"), "{page}");
}

#[test]
fn completions_know_the_words_of_the_vocabularies() {
    let b = Bench::bare();
    for shell in ["bash", "zsh", "fish"] {
        let script = b.run(&format!("orc completions {shell}"));
        assert!(script.contains("reviewing") && script.contains("consolidate"), "{shell} knows no states or kinds");
    }
    assert!(b.run("pm completions bash").contains("_pm"));
}
