#!/bin/bash
# Ten minutes of churn: memory and open files must be as before, and the books must agree.
# ECHOMESH_SECONDS sets how long.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec cargo test --locked --test blackbox -- --ignored --exact --nocapture long::ten_minutes_of_churn_leave_memory_files_and_books_as_they_were
