//! `echomesh setup`: from a fresh package to a node at work by a dozen questions.
//!
//! Pure: [`flow`] decides what to ask and what the answers come to, [`text`] how to say it. Thin: [`terminal`] reads and writes lines,
//! [`keep`] keeps answers of a set-up that was interrupted, `daemon::trials` tries what can be tried, [`finish`] writes, once, at the very end.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use argh::FromArgs;

pub mod answers;
pub mod finish;
pub mod flow;
pub mod keep;
pub mod question;
pub mod talk;
pub mod terminal;
pub mod text;

use answers::Answers;
use flow::Facts;
use question::Name;

use super::print;
use crate::codec::json::MAX_BODY;
use crate::config::Settings;
use crate::control::survey::Survey;
use crate::core::exit::{self, Failure};
use crate::daemon::trials;
use crate::platform::files;

#[derive(FromArgs)]
#[argh(subcommand, name = "setup")]
/// Set this node up by a dozen questions. Nothing is changed before the last one is answered; an interrupted set-up goes on where it was.
pub struct Setup {
    /// UCI file [/etc/config/echomesh]
    #[argh(option, default = "super::CONFIG.into()")]
    config: PathBuf,
    /// JSON file of answers instead of questions in the terminal; what it leaves out has its default
    #[argh(option)]
    answers: Option<PathBuf>,
    /// show what would be changed, and change nothing
    #[argh(switch)]
    dry_run: bool,
}

impl Setup {
    /// Asks, tries, shows, writes.
    pub fn run(self, run_dir: &Path) -> Result<(), Failure> {
        let settings = super::config::usable(&self.config)?;
        if !self.dry_run && !files::writable(&self.config) {
            return Err(Failure::new(exit::NO_PERM, format!("{} cannot be written; run this as root", self.config.display())));
        }
        let facts = Facts { survey: Survey::here(&settings.network.uplink), settings };
        match &self.answers {
            Some(path) => self.by_file(path, &facts, run_dir),
            None if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() => {
                talk::Talk::new(&facts, &self.config, run_dir, self.dry_run).run()
            }
            None => {
                Err(Failure::new(exit::USAGE, "setup asks its questions in a terminal; for scripts, write the answers to a file: --answers FILE"))
            }
        }
    }

    /// The same from a file: nobody is asked, and a test that fails ends it.
    fn by_file(&self, path: &Path, facts: &Facts, run_dir: &Path) -> Result<(), Failure> {
        let wrong = |why: String| Failure::new(exit::DATA, format!("{}: {why}; nothing was changed", path.display()));
        let given = Answers::read(&read(path)?).map_err(wrong)?;
        let tests =
            flow::check(Name::Tests, given.get(Name::Tests).unwrap_or(flow::TESTS[0])).map_err(|allowed| wrong(format!("tests: {allowed}")))?;
        let answers = settled(facts, &given).map_err(wrong)?;
        let new = flow::settings(facts, &answers).map_err(|findings| wrong(listed(&findings)))?;
        if tests != "skip" {
            let mut told = String::new();
            let well = trials::run(&new, &finish::listens(run_dir), &mut |trial| told.push_str(&line_of(trial)));
            print::text(&told)?;
            if !well && tests == "must" {
                return Err(Failure::new(exit::UNAVAILABLE, "a test failed; nothing was changed (\"tests\": \"try\" goes on all the same)"));
            }
        }
        print::text(&summary(&facts.settings, &new))?;
        if self.dry_run {
            return print::text("Nothing was changed (--dry-run).\n");
        }
        let done = finish::write(&self.config, run_dir, &facts.settings, &new)?;
        print::text(&format!("{}\n", done.join("\n")))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MAX_BODY as u64 + 1).read_to_end(&mut bytes));
    read.map(|_| bytes).map_err(|e| Failure::new(exit::NO_INPUT, format!("{}: {e}", path.display())))
}

/// Every question that is put with its checked answer: the given one, or its default.
fn settled(facts: &Facts, given: &Answers) -> Result<Answers, String> {
    let mut answers = Answers::default();
    while let Some(name) = flow::next(facts, &answers) {
        let question = text::question(name, facts, &answers);
        let answer = given.get(name).map_or_else(|| question.default.clone(), |given| question.meant(given));
        let answer = flow::check(name, &answer).map_err(|allowed| format!("{}: `{}` is not {allowed}", name.id(), answer.escape_debug()))?;
        answers.set(name, answer);
    }
    Ok(answers)
}

/// Findings in one sentence.
pub(super) fn listed(findings: &[crate::config::json::JsonFinding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Characters of [`line_of`] before the trial's name.
pub(super) const HEAD_OF_TRIAL: usize = "  FAILED  ".len();

/// What a trial came to, as a line.
pub(super) fn line_of(trial: &trials::Trial) -> String {
    match &trial.outcome {
        Ok(told) => format!("  ok      {}: {told}\n", trial.name),
        Err(wrong) => format!("  FAILED  {}: {wrong}\n", trial.name),
    }
}

/// What would change, as text.
pub(super) fn summary(old: &Settings, new: &Settings) -> String {
    let lines = text::difference(old, new);
    if lines.is_empty() {
        return "The settings are like that already.\n".to_owned();
    }
    lines.iter().fold("What changes:\n".to_owned(), |out, line| format!("{out}  {line}\n"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::settings::{Rate, Reach};
    use crate::config::{any_error, batch, from_uci};

    const KEY: &str = "ed25519:11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn given(text: &str) -> Answers {
        Answers::read(text.as_bytes()).unwrap()
    }

    fn comes_to(facts: &Facts, text: &str) -> Settings {
        flow::settings(facts, &settled(facts, &given(text)).unwrap()).unwrap()
    }

    #[test]
    fn without_consent_nothing_runs_and_few_questions_are_put() {
        let facts = Facts::default();
        let answers = settled(&facts, &Answers::default()).unwrap();
        assert_eq!(answers.len(), 6, "{answers:?}");
        let settings = flow::settings(&facts, &answers).unwrap();
        assert!(!settings.node.enabled && !settings.proxy.enabled && settings.coordinator.url.is_empty());
        assert_eq!(settings.network.max_mbps, Rate::mbps(2), "the careful choice is the default");
    }

    #[test]
    fn answers_come_to_settings() {
        let facts = Facts::default();
        let text = format!(
            r#"{{"region": "PH-Mindanao", "line": 40, "caps": "balanced", "gbPerMonth": 300, "windows": "weekday-nights", "proxy": true,
                "reach": "direct", "port": 9443, "coordinator": "https://coordinator.example.net:8440", "key": "{KEY}", "telemetry": true}}"#
        );
        let settings = comes_to(&facts, &text);
        assert!(settings.node.enabled && settings.proxy.enabled && settings.ui.telemetry_opt_in);
        assert_eq!(settings.node.region_allow, ["PH-Mindanao"]);
        assert_eq!((settings.network.max_mbps, settings.network.line_mbps), (Rate::mbps(10), Some(Rate::mbps(40))));
        assert_eq!((settings.network.max_gb_per_day, settings.network.max_gb_per_month), (20, 300));
        assert_eq!(settings.windows.len(), 1);
        assert_eq!(settings.proxy.listen, ["[::]:9443".parse().unwrap()]);
        assert_eq!(settings.policy.probe_host, ["coordinator.example.net:8440"]);
        let (_, findings) = from_uci(&batch::to_package(&settings));
        assert!(!any_error(&findings), "{findings:?}");
        let summary = summary(&facts.settings, &settings);
        assert!(summary.contains("network.max_gb_per_month: 0 -> 300") && summary.contains("window (days start end): at any time -> "), "{summary}");
        // Once more, with the same answers or with Enter alone: nothing is left to change.
        let again = Facts { settings: settings.clone(), ..facts };
        assert_eq!(comes_to(&again, &text), settings);
        assert_eq!(comes_to(&again, "{}"), settings);
        let mut by_hand = settings;
        by_hand.windows[0].max = Some(Rate::mbps(3));
        (by_hand.windows[0].start, by_hand.network.max_mbps) = (60, Rate::mbps(17));
        let again = Facts { settings: by_hand.clone(), ..again };
        assert_eq!(comes_to(&again, "{}"), by_hand, "what no preset is stays as it is");
    }

    #[test]
    fn what_the_box_is_like_is_the_default() {
        let survey = Survey { needs_gateway: true, country: Some("PH".into()), ..Survey::default() };
        let facts = Facts { survey, ..Facts::default() };
        let settings = comes_to(&facts, &format!(r#"{{"proxy": "yes", "coordinator": "https://192.0.2.1", "key": "{KEY}"}}"#));
        assert_eq!((settings.proxy.reach, settings.node.region_allow.as_slice()), (Reach::Gateway, ["PH".to_owned()].as_slice()));
        assert!(settings.policy.probe_host.is_empty(), "an address is no probe host");
        assert!(!settings.ui.telemetry_opt_in);
    }

    #[test]
    fn figures_and_times_of_one_s_own() {
        let text = r#"{"caps": "own", "rate": "3.5", "gbPerDay": 7, "windows": "own", "hours": "Sat,Sun 10:00-18:00; daily 23:00-01:00"}"#;
        let settings = comes_to(&Facts::default(), text);
        assert_eq!((settings.network.max_mbps, settings.network.max_gb_per_day, settings.windows.len()), (Rate(3_500_000), 7, 2));
    }

    #[test]
    fn a_wrong_answer_is_named_with_what_is_allowed() {
        for (text, part) in [
            (r#"{"region": "Philippines"}"#, "country code"),
            (r#"{"line": "fast"}"#, "line"),
            (r#"{"caps": "all"}"#, "gentle, balanced, generous, own"),
            (r#"{"proxy": "maybe"}"#, "yes, no"),
            (r#"{"proxy": true, "coordinator": "http://x"}"#, "https://HOST"),
            (r#"{"proxy": true, "coordinator": "https://x.example"}"#, "key"),
            (r#"{"proxy": true, "coordinator": "https://x.example", "key": "abc"}"#, "ed25519"),
            (r#"{"proxy": true, "reach": "direct", "port": 80}"#, "1024"),
            (r#"{"windows": "own", "hours": "nights"}"#, "daily"),
        ] {
            let why = settled(&Facts::default(), &given(text)).unwrap_err();
            assert!(why.contains(part), "{text}: {why}");
        }
    }

    #[test]
    fn every_question_says_what_happens_next_and_has_a_default_that_is_allowed() {
        let facts = Facts::default();
        let mut answers = given(&format!(
            r#"{{"caps": "own", "windows": "own", "proxy": "yes", "reach": "direct", "coordinator": "https://x.example", "key": "{KEY}"}}"#
        ));
        for name in Name::ALL.into_iter().filter(|n| *n != Name::Tests) {
            assert!(flow::applies(name, &facts, &answers), "{name:?}");
            let question = text::question(name, &facts, &answers);
            assert!(question.then.ends_with('.') && !question.title.is_empty() && !question.text.is_empty(), "{question:?}");
            // Only what nobody else can know has none.
            let needed = matches!(name, Name::Coordinator | Name::Key);
            assert!(needed || flow::check(name, &question.default).is_ok(), "{question:?}");
            assert!(!question.default.is_empty() || !question.empty.is_empty(), "{question:?}");
            answers.set(name, answers.get(name).unwrap_or_default().to_owned());
        }
        assert_eq!(flow::before(Some(Name::Region), &facts, &answers), None);
        assert_eq!(flow::before(None, &facts, &answers), Some(Name::Telemetry));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever a file says: settings without an error, or a reason; and never a role without consent.
        #[test]
        fn any_answers_come_to_right_settings_or_to_none(texts in prop::collection::vec("(yes|no|own|[A-Z]{2}|[0-9.]{1,6}|\\PC{0,12})", Name::ALL.len()), skip in any::<u32>()) {
            let facts = Facts::default();
            let mut answers = Answers::default();
            for (i, (name, text)) in Name::ALL.into_iter().zip(texts).enumerate() {
                if skip >> i & 1 == 0 {
                    answers.set(name, text);
                }
            }
            if let Ok(settled) = settled(&facts, &answers)
                && let Ok(settings) = flow::settings(&facts, &settled)
            {
                prop_assert!(!any_error(&from_uci(&batch::to_package(&settings)).1));
                prop_assert_eq!(settings.proxy.enabled, settled.yes(Name::Proxy));
            }
        }
    }
}
