#!/bin/bash
# Kills the node 100 times at random moments under traffic (every third time the coordinator too), and compares the ledger;
# 5 minutes. ECHOMESH_ROUNDS sets how often.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec cargo test --locked --test blackbox -- --ignored --exact --nocapture \
  long::killed_a_hundred_times_under_traffic_nothing_is_billed_twice_and_each_loses_a_second_at_most
