//! Who means harm: buyers and strangers at the listener, names that lead into the home.

mod callers;
mod flood;
mod names;
