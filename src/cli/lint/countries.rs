//! The assigned codes of ISO 3166-1 alpha-2.

/// Sorted, separated by single spaces. `XK` is a user-assigned code, which geolocation writes for Kosovo.
const ASSIGNED: &str = "\
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW \
    BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI \
    FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN \
    IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME \
    MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF \
    PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV \
    SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK \
    YE YT ZA ZM ZW";

/// Whether `code` (upper case) is assigned to a country. A rule with another code, such as `UK` for `GB`, applies to no
/// client.
pub(super) fn is_assigned(code: &str) -> bool {
    ASSIGNED.split(' ').any(|assigned| assigned == code)
}

/// The remedy for `code` (upper case), which is not assigned.
pub(super) fn correction(code: &str) -> &'static str {
    match code {
        "UK" => "write \"GB\"",
        "EL" => "write \"GR\"",
        "EU" => "list the countries, or test the \"continent\"",
        _ => "write the code that ISO 3166-1 assigns to the country",
    }
}

#[cfg(test)]
mod tests {
    use super::{ASSIGNED, is_assigned};

    #[test]
    fn the_table_holds_every_code_once() {
        let codes: Vec<_> = ASSIGNED.split(' ').collect();
        assert!(codes.len() == 250 && codes.is_sorted_by(|one, two| one < two));
        assert!(codes.iter().all(|code| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase())));
    }

    #[test]
    fn codes_that_are_reserved_or_unassigned_are_none() {
        assert!(["DE", "GB", "GR", "US", "XK", "AD", "ZW"].into_iter().all(is_assigned));
        assert!(
            !["UK", "EL", "EU", "XX", "AA", "ZZ", "SU", "AN", "de", "D", "DEU", "", " ", "AD AE"]
                .into_iter()
                .any(is_assigned)
        );
    }
}
