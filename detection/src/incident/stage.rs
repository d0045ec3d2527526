//! How far along an attack a technique stands.

/// The tactics of ATT&CK in the order in which an attack passes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Reconnaissance,
    ResourceDevelopment,
    InitialAccess,
    Execution,
    Persistence,
    PrivilegeEscalation,
    DefenseEvasion,
    CredentialAccess,
    Discovery,
    LateralMovement,
    Collection,
    CommandAndControl,
    Exfiltration,
    Impact,
}

/// Techniques that rules for Linux name, each with the one tactic it speaks for most: a technique that ATT&CK lists under several
/// must not count as several steps.
const STAGES: [(Stage, &[&str]); 14] = [
    (Stage::Reconnaissance, &["T1589", "T1590", "T1592", "T1595", "T1598"]),
    (Stage::ResourceDevelopment, &["T1583", "T1584", "T1587", "T1588", "T1608"]),
    (Stage::InitialAccess, &["T1078", "T1133", "T1189", "T1190", "T1195", "T1199", "T1566"]),
    (Stage::Execution, &["T1053", "T1059", "T1106", "T1129", "T1203", "T1204", "T1569", "T1609", "T1610"]),
    (Stage::Persistence, &["T1037", "T1098", "T1136", "T1505", "T1525", "T1543", "T1546", "T1547", "T1554", "T1556"]),
    (Stage::PrivilegeEscalation, &["T1055", "T1068", "T1134", "T1548", "T1611"]),
    (
        Stage::DefenseEvasion,
        &[
            "T1014", "T1027", "T1036", "T1070", "T1140", "T1202", "T1205", "T1211", "T1218", "T1222", "T1480", "T1497",
            "T1562", "T1564", "T1574", "T1601", "T1612", "T1620",
        ],
    ),
    (Stage::CredentialAccess, &["T1003", "T1040", "T1110", "T1111", "T1212", "T1552", "T1555", "T1557", "T1558"]),
    (
        Stage::Discovery,
        &[
            "T1007", "T1016", "T1018", "T1033", "T1046", "T1049", "T1057", "T1069", "T1082", "T1083", "T1087", "T1135",
            "T1201", "T1518", "T1613",
        ],
    ),
    (Stage::LateralMovement, &["T1021", "T1080", "T1210", "T1550", "T1563", "T1570"]),
    (Stage::Collection, &["T1005", "T1039", "T1056", "T1074", "T1113", "T1115", "T1119", "T1123", "T1560"]),
    (
        Stage::CommandAndControl,
        &[
            "T1071", "T1090", "T1092", "T1095", "T1102", "T1104", "T1105", "T1132", "T1219", "T1568", "T1571", "T1572",
            "T1573",
        ],
    ),
    (Stage::Exfiltration, &["T1011", "T1020", "T1029", "T1030", "T1041", "T1048", "T1052", "T1537", "T1567"]),
    (
        Stage::Impact,
        &["T1485", "T1486", "T1489", "T1490", "T1491", "T1496", "T1498", "T1499", "T1529", "T1531", "T1561", "T1565"],
    ),
];

/// The stage of a technique or of one of its sub-techniques; `None` for one that this version does not know.
pub(super) fn of(technique: &str) -> Option<Stage> {
    let base = technique.split('.').next().unwrap_or(technique);
    STAGES.iter().find(|(_, techniques)| techniques.contains(&base)).map(|(stage, _)| *stage)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_technique_stands_at_one_stage() {
        let mut seen = BTreeSet::new();
        for technique in STAGES.iter().flat_map(|(_, techniques)| techniques.iter()) {
            assert!(seen.insert(technique), "{technique} twice");
        }
        assert_eq!(of("T1110.001"), Some(Stage::CredentialAccess));
        assert_eq!(of("T9999"), None);
    }
}
