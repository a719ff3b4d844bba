#!/bin/bash
# Kills the node 30 times under traffic (every third time the coordinator too), and compares the ledger; 2 minutes.
# ECHOMESH_ROUNDS sets how often.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec cargo test --locked --test blackbox -- --ignored --exact --nocapture long::killed_thirty_times_under_traffic_the_ledger_counts_nothing_twice_and_loses_the_last_second_at_most
