//! `GET /overview`: all that a page shows, in one answer, so that it asks once every few seconds.

use super::series::Series;
use super::status::Status;
use crate::net::http::Response;

/// `{status, series, recentAlerts}`; `series` is null while the node is locked. `recent` is a JSON array.
pub fn overview(status: &Status, series: Option<&Series>, recent: &[u8]) -> Response {
    // Put together as text: each part is written by the code that writes it alone.
    let (status, series) = (serde_json::to_vec(status).unwrap_or_default(), series.and_then(|s| serde_json::to_vec(s).ok()));
    let series = series.as_deref().unwrap_or(b"null");
    let body = [b"{\"status\":", status.as_slice(), b",\"series\":", series, b",\"recentAlerts\":", recent, b"}"].concat();
    Response::new(200, "application/json", body)
}
