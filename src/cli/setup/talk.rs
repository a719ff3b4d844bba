//! The wizard in the terminal, from the greeting to what was done.

use std::io::{StdinLock, Stdout};
use std::path::{Path, PathBuf};

use super::answers::Answers;
use super::flow::{self, Facts};
use super::keep::Kept;
use super::question::{Choice, Name, Question, yes_or_no};
use super::terminal::{Reply, Terminal};
use super::{HEAD_OF_TRIAL, finish, line_of, listed, summary, text};
use crate::config::Settings;
use crate::core::exit::Failure;
use crate::daemon::trials;

/// A set-up under way.
pub struct Talk<'f> {
    facts: &'f Facts,
    config: PathBuf,
    run_dir: PathBuf,
    dry_run: bool,
    kept: Kept,
    terminal: Terminal<StdinLock<'static>, Stdout>,
    answers: Answers,
    /// Answers that were taken back: they are offered again.
    earlier: Answers,
}

/// What the owner wants, once all is answered.
enum Wanted {
    Done,
    /// The questions that are open again.
    Ask,
    Back,
    Leave,
}

impl<'f> Talk<'f> {
    /// On standard input and output.
    pub fn new(facts: &'f Facts, config: &Path, run_dir: &Path, dry_run: bool) -> Talk<'f> {
        let terminal = Terminal::new(std::io::stdin().lock(), std::io::stdout());
        let (answers, earlier) = (Answers::default(), Answers::default());
        Talk { facts, config: config.to_owned(), run_dir: run_dir.to_owned(), dry_run, kept: Kept::of(run_dir), terminal, answers, earlier }
    }

    /// To its end: done, or left with the answers kept.
    pub fn run(mut self) -> Result<(), Failure> {
        self.greet()?;
        loop {
            match flow::next(self.facts, &self.answers) {
                Some(name) => {
                    if !self.put(name)? {
                        return self.leave();
                    }
                }
                None => match self.conclude()? {
                    Wanted::Done => return Ok(()),
                    Wanted::Ask => {}
                    Wanted::Back => self.back(None),
                    Wanted::Leave => return self.leave(),
                },
            }
        }
    }

    fn greet(&mut self) -> Result<(), Failure> {
        self.terminal.say("", "EchoMesh set-up. Nothing is changed before the last question is answered.")?;
        self.terminal.say("", "Enter alone takes what stands in [brackets]; `back` goes back, `quit` leaves and keeps your answers.")?;
        self.terminal.say("", "")?;
        for (what, found) in text::found(self.facts) {
            self.terminal.hang(&format!("  {what:10} "), &found)?;
        }
        let Some(kept) = self.kept.load() else { return Ok(()) };
        let question = Question {
            title: format!("A set-up was interrupted after {} answers. Go on with it?", kept.len()),
            text: String::new(),
            choices: yes_or_no("go on where it was", "begin anew"),
            default: "yes".into(),
            empty: "",
            then: "the next question comes.",
        };
        match self.terminal.ask(None, &question)? {
            Reply::Answer(answer) if answer == "yes" => self.answers = checked(kept),
            _ => self.kept.forget(),
        }
        Ok(())
    }

    /// Puts one question; false where the owner wants to leave.
    fn put(&mut self, name: Name) -> Result<bool, Failure> {
        let mut question = text::question(name, self.facts, &self.answers);
        if let Some(earlier) = self.earlier.get(name) {
            earlier.clone_into(&mut question.default);
        }
        let at = flow::position(name, self.facts, &self.answers);
        match self.terminal.ask(Some(at), &question)? {
            Reply::Quit => return Ok(false),
            Reply::Back => self.back(Some(name)),
            Reply::Answer(answer) => match flow::check(name, &answer) {
                Ok(answer) => self.answers.set(name, answer),
                Err(allowed) => self.terminal.say("  ", &format!("That cannot be; allowed: {allowed}"))?,
            },
        }
        self.save()?;
        Ok(true)
    }

    /// Takes back the answer before `name`.
    fn back(&mut self, name: Option<Name>) {
        if let Some(before) = flow::before(name, self.facts, &self.answers) {
            self.take_back(before);
        }
    }

    fn take_back(&mut self, name: Name) {
        if let Some(answer) = self.answers.get(name) {
            self.earlier.set(name, answer.to_owned());
        }
        self.answers.forget(name);
    }

    /// Tests, summary, the last word, and the deed.
    fn conclude(&mut self) -> Result<Wanted, Failure> {
        let new = match flow::settings(self.facts, &self.answers) {
            Ok(new) => new,
            Err(findings) => {
                self.terminal.say("  ", &format!("That does not fit together: {}", listed(&findings)))?;
                return Ok(Wanted::Back);
            }
        };
        if let Some(wanted) = self.tried(&new)? {
            return Ok(wanted);
        }
        self.terminal.say("", "")?;
        let terminal = &mut self.terminal;
        summary(&self.facts.settings, &new).lines().try_for_each(|line| match line.strip_prefix("  ") {
            Some(change) => terminal.hang("  ", change),
            None => terminal.say("", line),
        })?;
        if self.dry_run {
            self.terminal.say("", "Nothing was changed (--dry-run).")?;
            return Ok(Wanted::Done);
        }
        let question = Question {
            title: format!("Write this to {}?", self.config.display()),
            text: String::new(),
            choices: yes_or_no("write it all in one step", "change nothing; your answers are kept"),
            default: "yes".into(),
            empty: "",
            then: if new.proxy.enabled { "the node's identity is made, and the daemon is told." } else { "the daemon is told." },
        };
        match self.terminal.ask(None, &question)? {
            Reply::Answer(answer) if answer == "yes" => {}
            Reply::Back => return Ok(Wanted::Back),
            _ => return Ok(Wanted::Leave),
        }
        for line in finish::write(&self.config, &self.run_dir, &self.facts.settings, &new)? {
            // A command is to be copied as it stands.
            line.lines().try_for_each(|line| self.terminal.hang(if line.starts_with(' ') { "  " } else { "" }, line.trim_start()))?;
        }
        self.kept.forget();
        self.farewell(&new)?;
        Ok(Wanted::Done)
    }

    /// Runs the tests; says what the owner wants where one failed and they do not go on.
    fn tried(&mut self, new: &Settings) -> Result<Option<Wanted>, Failure> {
        loop {
            if new.proxy.enabled {
                self.terminal.say("", "\nTesting; this takes some seconds.")?;
            }
            let terminal = &mut self.terminal;
            let mut broken = Ok(());
            let ours = finish::listens(&self.run_dir);
            let well = trials::run(new, &ours, &mut |trial| {
                let line = line_of(trial);
                let (head, text) = line.trim_end().split_at(HEAD_OF_TRIAL);
                if broken.is_ok() {
                    broken = terminal.hang(head, text);
                }
            });
            broken?;
            if well {
                return Ok(None);
            }
            let choice = |id: &str, text: &str| Choice { id: id.into(), text: text.into() };
            let question = Question {
                title: "A test failed. What now?".into(),
                text: String::new(),
                choices: vec![
                    choice("again", "test once more"),
                    choice("change", "answer the questions about coordinator and port again"),
                    choice("go-on", "write it all the same: the node tries on its own until it works"),
                ],
                default: "again".into(),
                empty: "",
                then: "nothing is written yet.",
            };
            match self.terminal.ask(None, &question)? {
                Reply::Answer(answer) if answer == "go-on" => return Ok(None),
                Reply::Answer(answer) if answer == "change" => {
                    [Name::Port, Name::Coordinator, Name::Key, Name::CaFile].into_iter().for_each(|name| self.take_back(name));
                    return Ok(Some(Wanted::Ask));
                }
                Reply::Answer(_) => {}
                Reply::Back => return Ok(Some(Wanted::Back)),
                Reply::Quit => return Ok(Some(Wanted::Leave)),
            }
        }
    }

    fn farewell(&mut self, new: &Settings) -> Result<(), Failure> {
        if !new.proxy.enabled {
            return self.terminal.say("", "Nothing runs. `echomesh setup` may be run again at any time.");
        }
        self.terminal.say("", "\nSee how it does: echomesh status. Stop it: echomesh control stop.")?;
        if !flow::by_gateway(new) {
            let port = flow::listen_port(new).unwrap_or_default();
            self.terminal.say("", &format!("Let buyers in: port {port}/tcp from the Internet, in the firewall of this router."))?;
        }
        self.backup(new)
    }

    /// Offers a sealed backup where a daemon runs, which makes it; else says how.
    fn backup(&mut self, new: &Settings) -> Result<(), Failure> {
        let why = "Keep a sealed backup of the identity in a safe place: whoever loses it loses the node's reputation.";
        if !finish::runs(&self.run_dir) {
            self.terminal.say("", why)?;
            self.terminal.say("", &format!("It is in {}. Once the node runs:", new.node.state_dir.display()))?;
            return self.terminal.say("  ", "echomesh identity backup FILE");
        }
        let question = Question {
            title: "Make a sealed backup of the identity now? Into which file?".into(),
            text: why.into(),
            choices: vec![],
            default: String::new(),
            empty: "not now",
            then: "you are asked for a passphrase; without it nobody can open the file.",
        };
        let file = match self.terminal.ask(None, &question)? {
            Reply::Answer(file) if !file.is_empty() => file,
            _ => return self.terminal.say("", "Later: echomesh identity backup FILE"),
        };
        // The set-up is done, whatever becomes of this.
        match finish::backup(&self.run_dir, &file) {
            Ok(()) => Ok(()),
            Err(failure) => self.terminal.say("", &format!("No backup was made: {failure}. Try again with: echomesh identity backup FILE")),
        }
    }

    fn save(&self) -> Result<(), Failure> {
        if self.dry_run { Ok(()) } else { self.kept.save(&self.answers) }
    }

    fn leave(mut self) -> Result<(), Failure> {
        let kept = if self.dry_run { "" } else { " Your answers are kept: run `echomesh setup` again to go on." };
        self.terminal.say("", &format!("\nNothing was changed.{kept}"))
    }
}

/// What of kept answers passes its check in this version; the rest is asked again.
fn checked(kept: Answers) -> Answers {
    let mut answers = Answers::default();
    for name in Name::ALL {
        if let Some(answer) = kept.get(name).and_then(|text| flow::check(name, text).ok()) {
            answers.set(name, answer);
        }
    }
    answers
}
