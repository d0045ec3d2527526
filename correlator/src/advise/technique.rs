//! ATT&CK techniques in the words of somebody who has never heard of ATT&CK.

use bongsu_api::Technique;

use super::names::{listed, visible};

/// What an attacker wants by it: the end of the sentence "attackers do this to ...". In order of id.
const PURPOSES: &[(&str, &str)] = &[
    ("T1003", "steal passwords or password hashes"),
    ("T1014", "hide deep in the system"),
    ("T1021", "move from host to host"),
    ("T1027", "disguise what their files contain"),
    ("T1033", "find out whose account they have"),
    ("T1036", "make a bad program look like a good one"),
    ("T1037", "have their program started again at boot or login"),
    ("T1041", "carry data away"),
    ("T1046", "look for other hosts to attack"),
    ("T1048", "carry data away"),
    ("T1053", "have their program started again on a schedule"),
    ("T1055", "hide inside another program"),
    ("T1057", "see what else is running"),
    ("T1059", "run commands of their own"),
    ("T1068", "gain the rights of root through a weakness"),
    ("T1070", "remove their traces"),
    ("T1071", "take orders from outside"),
    ("T1078", "come in through an account that is not theirs"),
    ("T1082", "learn what kind of system they are on"),
    ("T1083", "look for files worth taking"),
    ("T1087", "learn which accounts there are"),
    ("T1090", "hide where they connect from"),
    ("T1095", "take orders from outside"),
    ("T1098", "keep a way back in through an account"),
    ("T1105", "bring their tools onto the host"),
    ("T1110", "guess a password"),
    ("T1136", "make an account of their own"),
    ("T1140", "unpack tools they brought in disguise"),
    ("T1190", "break in through a public service"),
    ("T1222", "open files that were closed to them"),
    ("T1485", "destroy data"),
    ("T1486", "encrypt data and ask for money"),
    ("T1489", "stop services"),
    ("T1496", "use the host's computing power for themselves"),
    ("T1505", "keep a way back in through a server program"),
    ("T1543", "have their program run as a service"),
    ("T1546", "have their program started by an everyday event"),
    ("T1547", "have their program started again at boot"),
    ("T1548", "gain the rights of root"),
    ("T1552", "find passwords left in files"),
    ("T1556", "weaken how passwords are checked"),
    ("T1562", "switch off what protects the host"),
    ("T1564", "hide files or processes"),
    ("T1571", "take orders over a port that nobody watches"),
    ("T1574", "have a good program load a bad part"),
    ("T1611", "break out of a container"),
    ("T1620", "run a program without leaving a file"),
];

/// The purpose of a technique; that of its parent when it is a sub-technique.
fn purpose(id: &str) -> Option<&'static str> {
    let parent = id.split('.').next().unwrap_or(id);
    PURPOSES.binary_search_by_key(&parent, |(id, _)| id).ok().map(|index| PURPOSES[index].1)
}

/// "attackers do this to guess a password (Password Guessing, T1110.001)"; `None` when there is nothing to say.
pub(crate) fn in_words<'a>(techniques: impl IntoIterator<Item = &'a Technique>) -> Option<String> {
    let (mut purposes, mut names) = (Vec::new(), Vec::new());
    for technique in techniques {
        if let Some(purpose) = purpose(&technique.id).map(str::to_owned)
            && !purposes.contains(&purpose)
        {
            purposes.push(purpose);
        }
        let name = match technique.name.as_str() {
            "" => visible(&technique.id),
            name => format!("{}, {}", visible(name), visible(&technique.id)),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        return None;
    }
    let names = names.join("; ");
    Some(match purposes.is_empty() {
        true => format!("a known technique of attackers ({names})"),
        false => format!("attackers do this to {} ({names})", listed(&purposes)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order() {
        assert!(PURPOSES.is_sorted_by(|left, right| left.0 < right.0));
    }

    #[test]
    fn techniques_are_named_in_words() {
        let technique = |id: &str, name: &str| Technique { id: id.to_owned(), name: name.to_owned() };
        assert_eq!(
            in_words(&[technique("T1110.001", "Password Guessing"), technique("T1110", "Brute Force")]).unwrap(),
            "attackers do this to guess a password (Password Guessing, T1110.001; Brute Force, T1110)"
        );
        assert_eq!(in_words(&[technique("T9999", "")]).unwrap(), "a known technique of attackers (T9999)");
        assert_eq!(in_words(&[]), None);
    }
}
