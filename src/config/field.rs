//! Typed settings to UCI's texts and back. The texts were checked by their [`Form`](super::form::Form) before.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use log::LevelFilter;

use super::form::{bits, mbps_text};
use super::settings::{Rate, Reach, SandboxMode};
use crate::codec::NodeId;
use crate::core::logging::Dest;

/// A typed value of the settings.
pub trait Field: Sized {
    /// Its texts: none where it is not set, one for an option, all for a list.
    fn texts(&self) -> Vec<String>;
    /// The value of canonical texts; `None` where they do not fit the type.
    fn read(texts: &[String]) -> Option<Self>;
}

/// A value that is always set and has one text.
trait Single: Sized {
    fn text(&self) -> String;
    fn of(text: &str) -> Option<Self>;
}

/// An entry of a list.
pub trait Item: Display + FromStr {}

impl Item for String {}
impl Item for u16 {}
impl Item for NodeId {}
impl Item for SocketAddr {}

impl<T: Item> Field for Vec<T> {
    fn texts(&self) -> Vec<String> {
        self.iter().map(T::to_string).collect()
    }

    fn read(texts: &[String]) -> Option<Self> {
        texts.iter().map(|t| t.parse().ok()).collect()
    }
}

impl<T: Single> Field for T {
    fn texts(&self) -> Vec<String> {
        Some(self.text()).filter(|t| !t.is_empty()).into_iter().collect()
    }

    fn read(texts: &[String]) -> Option<Self> {
        T::of(texts.first().map_or("", String::as_str))
    }
}

impl<T: Single> Field for Option<T> {
    fn texts(&self) -> Vec<String> {
        self.as_ref().map(Field::texts).unwrap_or_default()
    }

    fn read(texts: &[String]) -> Option<Self> {
        if texts.is_empty() { Some(None) } else { T::read(texts).map(Some) }
    }
}

impl Single for bool {
    fn text(&self) -> String {
        u8::from(*self).to_string()
    }

    fn of(text: &str) -> Option<bool> {
        Some(text == "1")
    }
}

impl Single for u8 {
    fn text(&self) -> String {
        self.to_string()
    }

    fn of(text: &str) -> Option<u8> {
        text.parse().ok()
    }
}

impl Single for u32 {
    fn text(&self) -> String {
        self.to_string()
    }

    fn of(text: &str) -> Option<u32> {
        text.parse().ok()
    }
}

impl Single for Rate {
    fn text(&self) -> String {
        mbps_text(self.0)
    }

    fn of(text: &str) -> Option<Rate> {
        bits(text).map(Rate)
    }
}

impl Single for String {
    fn text(&self) -> String {
        self.clone()
    }

    fn of(text: &str) -> Option<String> {
        Some(text.to_owned())
    }
}

impl Single for PathBuf {
    fn text(&self) -> String {
        self.to_string_lossy().into_owned()
    }

    fn of(text: &str) -> Option<PathBuf> {
        Some(text.into())
    }
}

impl Single for LevelFilter {
    fn text(&self) -> String {
        self.as_str().to_ascii_lowercase()
    }

    fn of(text: &str) -> Option<LevelFilter> {
        text.parse().ok()
    }
}

/// Words of an enum: one table for both directions.
macro_rules! words {
    ($type:ty { $($variant:path => $word:literal),+ $(,)? }) => {
        impl Single for $type {
            fn text(&self) -> String {
                match self { $($variant => $word,)+ }.to_owned()
            }

            fn of(text: &str) -> Option<$type> {
                match text { $($word => Some($variant),)+ _ => None }
            }
        }
    };
}

words!(Dest { Dest::Auto => "auto", Dest::Syslog => "syslog", Dest::Stderr => "stderr" });
words!(SandboxMode { SandboxMode::Strict => "strict", SandboxMode::Standard => "standard" });
words!(Reach { Reach::Direct => "direct", Reach::Gateway => "gateway" });
