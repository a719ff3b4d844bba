//! What the machine brings to move bytes, and what the node makes of it (docs/reference/offload.md).

use serde_json::Value;

use super::node::Node;
use crate::config::Settings;
use crate::control::status;
use crate::net::{ciphers, mux};
use crate::platform::offload::{Flow, Offload};
use crate::platform::uplink::Routes;
use crate::platform::{facts, offload};

/// Beside the settings file the init script leaves the firewall's word on flows: its own settings are root's to read.
const FLOW_FILE: &str = "flow-offloading";

impl Node {
    /// Looks at the machine: at the start, when the uplink changes and with each reload.
    pub fn look_at_machine(&self) {
        let mut found = offload::here(&self.uplink_devices());
        if found.flow.is_none() {
            found.flow = std::fs::read_to_string(self.config.with_file_name(FLOW_FILE)).ok().and_then(|text| Flow::named(text.trim()));
        }
        let before = self.machine.replace(found);
        if let Some(warning) = blind(&self.settings(), &self.machine.borrow()).filter(|_| before.flow != Some(Flow::Hardware)) {
            log::warn!("{warning}");
        }
    }

    fn uplink_devices(&self) -> Vec<String> {
        let named = self.world.devices.clone().unwrap_or_else(|| self.settings().network.uplink.clone());
        if named.is_empty() { Routes::open().and_then(|routes| routes.default_route_devices()).unwrap_or_default() } else { named }
    }

    /// `status.offload`.
    pub fn offload_view(&self) -> status::Offload {
        let mut members = self.machine.borrow().members();
        let mut put = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
        put("relay", if self.pool.splices() { "splice" } else { "copy" }.into());
        put("cipherFirst", if ciphers::chacha_first() { "chacha20-poly1305" } else { "aes-gcm" }.into());
        put("cpus", facts::cpus().into());
        put("socketBufferBytes", self.pool.socket_buffer().into());
        put("gatewayWindowBytes", mux::Budget::for_ram(facts::ram_bytes()).windows.into());
        status::Offload(members)
    }
}

/// Giving way goes by what the uplink's counters show, and these may not see what the hardware forwards by itself.
fn blind(settings: &Settings, found: &Offload) -> Option<&'static str> {
    let measures = settings.network.yield_to_household && settings.network.line_mbps.is_some();
    (measures && found.flow == Some(Flow::Hardware)).then_some(
        "the firewall lets hardware forward flows (flow_offloading_hw): where its driver does not count them, the node does not see that the household uses the line, and gives way by marks alone",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_measures_the_line_is_warned_of_flows_that_are_not_counted() {
        let hardware = Offload { flow: Some(Flow::Hardware), ..Offload::default() };
        let mut settings = Settings::default();
        assert_eq!(blind(&settings, &hardware), None, "without line_mbps nothing is measured");
        settings.network.line_mbps = Some(settings.network.max_mbps);
        assert!(blind(&settings, &hardware).is_some());
        for flow in [None, Some(Flow::Off), Some(Flow::Software)] {
            assert_eq!(blind(&settings, &Offload { flow, ..Offload::default() }), None);
        }
    }
}
