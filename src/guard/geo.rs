//! Where the node stands, as far as anybody can tell (seed, "Geo & policy guard"): the owner's regions against what the
//! coordinator observes, the router's time zone and the uplink's country. Pure. `docs/reference/geo.md` is the table in words.

use crate::codec::json::milli;

/// Doubt from which on a place is not believed.
pub const DOUBTED: f64 = 0.7;
/// Confidence from which on an observed region inside the right country counts against a session that names another.
const REGION_BELIEVED: f64 = 0.9;
/// Heartbeats in a row with a mismatch until it is a lasting one.
pub const LASTING: u32 = 5;

/// What each piece of evidence weighs: in confidence where it agrees, and against it where it does not.
const OWNERS_WORD: f64 = 0.2;
const OBSERVED: f64 = 0.6;
const ZONE: f64 = 0.1;
const UPLINK: f64 = 0.1;
const UPLINK_AGAINST: f64 = 0.2;

/// Zone names with the country of each, from the tz database's `zone.tab` (public domain): 9 kB.
const ZONES: &str = include_str!("zones.txt");

/// The country a time zone lies in; `None` for names that tell none (`UTC`, `Etc/GMT-8`).
pub fn country_of_zone(name: &str) -> Option<&'static str> {
    // OpenWrt's own list writes blanks where the database has underscores.
    let name = name.trim().replace(' ', "_");
    ZONES.lines().filter_map(|line| line.split_once(' ')).find(|(zone, _)| *zone == name).map(|(_, country)| country)
}

/// Whether `allow` (`CC` or `CC-Name`; empty = anywhere) lets the owner serve a session for `wanted`; empty = any place.
pub fn serves(allow: &[String], wanted: &str) -> bool {
    let inside = |name: &str, area: &str| {
        let (head, rest) = (name.get(..area.len()), name.get(area.len()..).unwrap_or_default());
        head.is_some_and(|head| head.eq_ignore_ascii_case(area)) && (rest.is_empty() || rest.starts_with('-'))
    };
    // A session for a country is served from any of its regions.
    allow.is_empty() || wanted.is_empty() || allow.iter().any(|have| inside(wanted, have) || inside(have, wanted))
}

/// What the coordinator's last heartbeat answer said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// Two letters; `None` = it does not know.
    pub country: Option<String>,
    /// Name within the country.
    pub region: Option<String>,
    /// 0..=1.
    pub confidence: f64,
}

/// What this router knows of its place by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Local {
    /// Country of the system's time zone.
    pub zone: Option<String>,
    /// Country of the uplink's network.
    pub uplink: Option<String>,
}

/// All evidence of the node's place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    observed: Option<Observed>,
    local: Local,
    /// Heartbeats in a row with a mismatch.
    streak: u32,
}

impl Evidence {
    /// A heartbeat's answer, and what the router knows at this moment. `Some` = the mismatch with `allow` has lasted:
    /// what is seen, for the owner. It is told once; counting begins anew.
    pub fn heard(&mut self, observed: Observed, local: Local, allow: &[String]) -> Option<String> {
        let confidence = if observed.confidence.is_finite() { observed.confidence.clamp(0.0, 1.0) } else { 0.0 };
        self.observed = Some(Observed { confidence, ..observed });
        self.local = local;
        match self.mismatch(allow) {
            None => self.streak = 0,
            Some(seen) => {
                self.streak += 1;
                if self.streak >= LASTING {
                    self.streak = 0;
                    return Some(seen);
                }
            }
        }
        None
    }

    /// The owner cleared a quarantine: a mismatch has to last again.
    pub fn begin_anew(&mut self) {
        self.streak = 0;
    }

    /// The coordinator's word; `None` before the first.
    pub const fn observed(&self) -> Option<&Observed> {
        self.observed.as_ref()
    }

    /// What speaks against the node standing where its owner offers it; `None` = nothing that counts.
    pub fn mismatch(&self, allow: &[String]) -> Option<String> {
        (!allow.is_empty() && self.doubt(allow) >= DOUBTED).then(|| {
            let (country, confidence) = self.seen();
            format!("the coordinator sees this node in {country} (confidence {confidence}), outside node.region_allow ({})", allow.join(", "))
        })
    }

    /// Whether a session for `region` may be served from here; the rule that refuses it.
    ///
    /// # Errors
    /// The rule, in words for the owner.
    pub fn judge(&self, allow: &[String], region: &str) -> Result<(), String> {
        if !serves(allow, region) {
            return Err(format!("node.region_allow ({}) does not cover the session's region {region}", allow.join(", ")));
        }
        if let Some(seen) = self.mismatch(allow) {
            return Err(seen);
        }
        let wanted = [region.to_owned()];
        if !region.is_empty() && (self.doubt(&wanted) >= DOUBTED || self.other_region(&wanted)) {
            let (country, confidence) = self.seen();
            return Err(format!("the session is for {region}, but the coordinator sees this node in {country} (confidence {confidence})"));
        }
        Ok(())
    }

    /// How sure the node is of being where it is offered, 0..=1 in steps of a thousandth; `None` before the first word
    /// of the coordinator.
    pub fn confidence(&self, allow: &[String]) -> Option<f64> {
        let observed = self.observed.as_ref()?;
        let own = observed.country.clone().into_iter().collect::<Vec<_>>();
        let place = if allow.is_empty() { &own } else { allow };
        let mut sum = if allow.is_empty() { 0.0 } else { OWNERS_WORD };
        sum += match self.lies_in(observed.country.as_deref(), place) {
            Some(true) if self.region_differs(place) => OBSERVED * observed.confidence / 2.0,
            Some(true) => OBSERVED * observed.confidence,
            Some(false) => -OBSERVED * observed.confidence,
            None => 0.0,
        };
        sum += match self.lies_in(self.local.zone.as_deref(), place) {
            Some(true) => ZONE,
            Some(false) => -ZONE,
            None => 0.0,
        };
        sum += match self.lies_in(self.local.uplink.as_deref(), place) {
            Some(true) => UPLINK,
            Some(false) => -UPLINK_AGAINST,
            None => 0.0,
        };
        Some(milli(sum.clamp(0.0, 1.0)))
    }

    /// How much speaks against standing in `place`: the coordinator's confidence in another country, more or less by
    /// what the router knows itself; 0 where the coordinator sees it there or does not know. A wrong address database
    /// alone is outvoted by time zone and uplink together.
    fn doubt(&self, place: &[String]) -> f64 {
        let Some(observed) = &self.observed else { return 0.0 };
        if self.lies_in(observed.country.as_deref(), place) != Some(false) {
            return 0.0;
        }
        let weigh = |country: Option<&str>, weight: f64| match self.lies_in(country, place) {
            Some(true) => -weight,
            Some(false) => weight,
            None => 0.0,
        };
        milli(observed.confidence + weigh(self.local.zone.as_deref(), ZONE) + weigh(self.local.uplink.as_deref(), UPLINK_AGAINST))
    }

    /// Whether `country` is that of an entry of `place`; `None` where either is not known.
    fn lies_in(&self, country: Option<&str>, place: &[String]) -> Option<bool> {
        let country = country.filter(|_| !place.is_empty())?;
        Some(place.iter().any(|p| p.split('-').next().unwrap_or_default().eq_ignore_ascii_case(country)))
    }

    /// The coordinator names a region, and no entry of `place` covers it.
    fn region_differs(&self, place: &[String]) -> bool {
        let Some(Observed { country: Some(country), region: Some(region), .. }) = &self.observed else { return false };
        !serves(place, &format!("{country}-{region}"))
    }

    fn other_region(&self, place: &[String]) -> bool {
        self.region_differs(place) && self.observed.as_ref().is_some_and(|o| o.confidence >= REGION_BELIEVED)
    }

    fn seen(&self) -> (String, f64) {
        let Some(o) = &self.observed else { return (String::new(), 0.0) };
        let country = o.country.as_deref().unwrap_or("an unknown country");
        (o.region.as_deref().map_or_else(|| country.to_owned(), |region| format!("{country}-{region}")), o.confidence)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(entries: &[&str]) -> Vec<String> {
        entries.iter().map(|e| (*e).to_owned()).collect()
    }

    fn seen(place: &str, confidence: f64) -> Observed {
        let (country, region) = place.split_once('-').map_or((place, None), |(c, r)| (c, Some(r.to_owned())));
        Observed { country: (!country.is_empty()).then(|| country.to_owned()), region, confidence }
    }

    fn local(zone: &str, uplink: &str) -> Local {
        let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Local { zone: known(zone), uplink: known(uplink) }
    }

    fn heard(place: &str, confidence: f64, local: Local, allow: &[String]) -> Evidence {
        let mut e = Evidence::default();
        e.heard(seen(place, confidence), local, allow);
        e
    }

    #[test]
    fn zones_name_countries() {
        assert_eq!(country_of_zone("Asia/Manila"), Some("PH"));
        assert_eq!(country_of_zone("America/New York"), Some("US"));
        assert_eq!(country_of_zone(" Europe/Amsterdam\n"), Some("NL"));
        for nowhere in ["UTC", "Etc/UTC", "", "Asia/Manil", "Asia/Manila PH"] {
            assert_eq!(country_of_zone(nowhere), None, "{nowhere}");
        }
        assert!(ZONES.lines().all(|l| l.split_once(' ').is_some_and(|(zone, cc)| zone.contains('/') && cc.len() == 2)));
    }

    #[test]
    fn regions_are_served_as_the_owner_allows() {
        for (allow, wanted, yes) in [
            (&["PH"][..], "PH-NCR", true),
            (&["PH-NCR"], "PH-NCR", true),
            (&["ph-ncr"], "PH-NCR", true),
            (&["PH-NCR"], "PH", true),
            (&["PH-NCR"], "PH-N", false),
            (&["PH-NCR"], "PH-Mindanao", false),
            (&["PH"], "DE", false),
            (&["PH", "DE"], "DE-Bayern", true),
            (&[], "DE", true),
            (&["PH"], "", true),
        ] {
            assert_eq!(serves(&list(allow), wanted), yes, "{allow:?} {wanted}");
        }
    }

    /// The table of docs/reference/geo.md.
    #[test]
    fn the_table_of_confidence() {
        let ph = list(&["PH"]);
        for (allow, place, confidence, zone, uplink, want) in [
            (&ph, "PH", 1.0, "PH", "PH", 1.0),
            (&ph, "PH", 0.5, "", "", 0.5),
            (&ph, "PH", 1.0, "DE", "", 0.7),
            (&ph, "PH", 1.0, "DE", "DE", 0.5),
            (&ph, "DE", 0.5, "", "", 0.0),
            (&ph, "DE", 0.1, "PH", "PH", 0.34),
            (&ph, "", 0.0, "PH", "PH", 0.4),
            (&list(&["PH-NCR"]), "PH-Mindanao", 1.0, "", "", 0.5),
            (&list(&[]), "PH", 1.0, "PH", "", 0.7),
            (&list(&[]), "", 0.0, "PH", "PH", 0.0),
        ] {
            assert_eq!(heard(place, confidence, local(zone, uplink), allow).confidence(allow), Some(want), "{place} {confidence} {zone} {uplink}");
        }
        assert_eq!(Evidence::default().confidence(&ph), None);
    }

    #[test]
    fn doubt_refuses_what_does_not_fit() {
        let ph = list(&["PH"]);
        for (place, confidence, zone, uplink, region, fits) in [
            ("PH", 1.0, "", "", "PH", true),
            ("PH", 1.0, "", "", "DE", false),
            ("DE", 0.69, "", "", "PH", true),
            ("DE", 0.7, "", "", "PH", false),
            ("DE", 0.7, "", "", "", false),
            ("DE", 0.6, "DE", "", "PH", false),
            ("DE", 0.5, "", "DE", "PH", false),
            ("DE", 0.9, "PH", "PH", "PH", true),
            ("DE", 1.0, "PH", "PH", "PH", false),
            ("", 1.0, "DE", "DE", "PH", true),
            ("PH-NCR", 0.95, "", "", "PH-Mindanao", false),
            ("PH-NCR", 0.8, "", "", "PH-Mindanao", true),
            ("PH-NCR", 0.95, "", "", "PH-NCR", true),
        ] {
            let judged = heard(place, confidence, local(zone, uplink), &ph).judge(&ph, region);
            assert_eq!(judged.is_ok(), fits, "{place} {confidence} {zone} {uplink} for {region}: {judged:?}");
        }
        // Without an allow-list the session's own region is still compared.
        assert!(heard("DE", 0.9, Local::default(), &[]).judge(&[], "PH").is_err());
        assert!(heard("DE", 0.9, Local::default(), &[]).judge(&[], "").is_ok());
    }

    #[test]
    fn a_mismatch_lasts_after_five_heartbeats_in_a_row_and_again_after_a_clearing() {
        let ph = list(&["PH"]);
        let mut e = Evidence::default();
        let beat = |e: &mut Evidence, place: &str| e.heard(seen(place, 0.9), Local::default(), &ph).is_some();
        assert!(!(0..4).any(|_| beat(&mut e, "DE")));
        assert!(!beat(&mut e, "PH"), "one word in between");
        assert!(!(0..4).any(|_| beat(&mut e, "DE")));
        assert!(beat(&mut e, "DE"));
        assert!(!(0..2).any(|_| beat(&mut e, "DE")));
        e.begin_anew();
        assert!(!(0..4).any(|_| beat(&mut e, "DE")));
        assert!(beat(&mut e, "DE"));
        assert!(e.mismatch(&ph).unwrap().contains("DE (confidence 0.9)"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        /// Whatever a coordinator says: confidence stays in its range, and nothing panics.
        #[test]
        fn any_word_of_the_coordinator(country in prop::option::of("[ -~é]{0,4}"), region in prop::option::of(".{0,8}"), confidence in any::<f64>(),
                allow in prop::collection::vec("[A-Z]{2}(-[A-Za-zé]{1,4})?", 0..4), wanted in "[A-Zé]{0,2}-?.{0,4}") {
            let mut e = Evidence::default();
            e.heard(Observed { country, region, confidence }, Local::default(), &allow);
            prop_assert!(e.confidence(&allow).is_some_and(|c| (0.0..=1.0).contains(&c)));
            let _ = e.judge(&allow, &wanted);
        }
    }
}
