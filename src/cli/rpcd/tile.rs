//! The few numbers of a tile on the router's status page, picked from the status object.

use serde_json::{Map, Value, json};

/// Of `status`, what fits a tile. What a daemon of another version does not tell is null.
pub(super) fn tile(status: &Value) -> Map<String, Value> {
    let list = |name: &str| status[name].as_array().map_or(&[][..], Vec::as_slice);
    let tunnels: u64 = list("sessions").iter().filter_map(|s| s["tunnels"].as_u64()).sum();
    super::object(json!({
        "state": status["state"],
        "stateReason": status["stateReason"],
        "paused": !status["paused"].is_null(),
        "pauseLeftSec": status["paused"]["leftSec"],
        "quarantine": !status["quarantine"].is_null(),
        "sessions": list("sessions").len(),
        "tunnels": tunnels,
        "bitsInPerSec": status["qos"]["bitsInPerSec"],
        "bitsOutPerSec": status["qos"]["bitsOutPerSec"],
        "usedTodayBytes": status["caps"]["usedTodayBytes"],
        "maxGBPerDay": status["caps"]["maxGBPerDay"],
        "alerts": list("alerts").len(),
        // The worst comes first.
        "worst": status["alerts"][0]["severity"],
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::contract;

    #[test]
    fn every_member_is_one_of_the_status() {
        let status = serde_json::to_value(contract::status()).unwrap();
        let told = tile(&status);
        for name in ["state", "bitsInPerSec", "bitsOutPerSec", "usedTodayBytes", "maxGBPerDay", "worst"] {
            assert!(!told[name].is_null(), "{name}");
        }
        assert_eq!(told["sessions"], status["sessions"].as_array().unwrap().len());
        assert!(tile(&Value::Null)["state"].is_null());
    }
}
