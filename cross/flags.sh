# shellcheck shell=bash disable=SC2034
# The flags of every router build, in one place. Sourced by cross/build with $name, $rust and $flags of cross/targets.tsv set; leaves
# the arrays RUSTC_FLAGS and CARGO_FLAGS. (What stable Rust can say stands in Cargo.toml's release profile, and holds for the feed too.)

RUSTC_FLAGS=(
  # Static: no libc of the router's is needed, whichever release it runs. Not the default on mips.
  -Ctarget-feature=+crt-static
  # zig brings musl's start files, rustc's prebuilt ones do not exist for mips.
  -Clink-self-contained=no
  # Without it timers never fire on 32-bit MIPS: rustix hands a 64-bit itimerspec to the 32-bit timerfd_settime.
  --cfg=fix_y2038
  # For size (decision 34): a panic ends the process at once and without a word; procd starts it anew, and the journal in the run folder
  # has what was counted. So there is neither unwinding nor text for it.
  -Cpanic=immediate-abort -Zunstable-options
  -Cforce-unwind-tables=no
  -Zlocation-detail=none
  # What is derived of Debug shows the name of a variant and no more.
  -Zfmt-debug=shallow
)

CARGO_FLAGS=(
  --release --locked
  # mips has no prebuilt standard library; building it for all targets lets it take part in link-time optimisation.
  -Zbuild-std=std,panic_abort
  # Its small variants of sorting and of printing numbers; and no unwinder, no backtraces.
  -Zbuild-std-features=optimize_for_size
)

# Cargo has to know, too: it compiles the programs' crates for it.
export CARGO_PROFILE_RELEASE_PANIC=abort
