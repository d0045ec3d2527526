//! Programs that take a secret in a form of their own.

use bstr::{BString, ByteSlice as _};

use super::MASK;

/// Where the secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The next argument.
    Next,
    /// The rest of this one.
    Attached,
    /// In the next argument, behind this byte.
    Behind(u8),
}
use Form::{Attached, Behind, Next};

/// How a program is told a secret: the flag (or word), and where the secret is then.
type Told = (&'static str, Form);

/// Programs, and how they are told secrets.
const HABITS: &[(&[&str], &[Told])] = &[
    (&["sshpass"], &[("-p", Next), ("-p", Attached)]),
    // What sshpass runs, whose -p is a port.
    (&["ssh", "scp", "sftp", "rsync"], &[]),
    (
        &["mysql", "mysqldump", "mysqladmin", "mysqlimport", "mariadb", "mariadb-dump", "mariadb-admin"],
        &[("-p", Attached)],
    ),
    (
        &["curl"],
        &[("-u", Behind(b':')), ("--user", Behind(b':')), ("-U", Behind(b':')), ("--proxy-user", Behind(b':'))],
    ),
    (&["smbclient", "rpcclient", "smbget", "smbmap"], &[("-U", Behind(b'%')), ("--user", Behind(b'%')), ("-p", Next)]),
    (&["redis-cli"], &[("-a", Next)]),
    (
        &["openssl"],
        &[("-k", Next), ("-K", Next), ("-pass", Behind(b':')), ("-passin", Behind(b':')), ("-passout", Behind(b':'))],
    ),
    (&["ldapsearch", "ldapadd", "ldapmodify", "ldapdelete", "ldappasswd"], &[("-w", Next), ("-s", Next)]),
    (&["mosquitto_pub", "mosquitto_sub"], &[("-P", Next)]),
    (&["zip", "unzip"], &[("-P", Next)]),
    (&["7z", "7za", "7zr"], &[("-p", Attached)]),
    (&["aws"], &[("aws_secret_access_key", Next), ("aws_session_token", Next)]),
    (&["xfreerdp", "xfreerdp3"], &[("/p:", Attached)]),
];

/// Where in which argument a secret begins, for the program that is among the arguments, if any: `sudo mysql -pX` runs mysql, too.
pub(super) fn secrets(args: &[BString]) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut forms: &[Told] = &[];
    let mut expected = None;
    args.iter().enumerate().filter_map(move |(at, arg)| {
        if let Some(form) = expected.take() {
            return match form {
                Behind(byte) => arg.find_byte(byte).map(|place| (at, place + 1)),
                Next | Attached => Some((at, 0)),
            };
        }
        if let Some(known) = habits_of(arg) {
            forms = known;
            return None;
        }
        let attached = forms.iter().find(|(flag, form)| {
            *form == Attached && arg.starts_with(flag.as_bytes()) && arg.len() > flag.len() && !arg.starts_with(b"--")
        });
        if let Some((flag, _)) = attached {
            return Some((at, flag.len()));
        }
        expected =
            forms.iter().find(|(flag, form)| *form != Attached && flag.as_bytes() == &arg[..]).map(|(_, form)| *form);
        None
    })
}

/// Overwrites what [`secrets`] finds.
pub(super) fn mask(args: &mut [BString]) {
    let found: Vec<(usize, usize)> = secrets(args).collect();
    for (at, from) in found {
        args[at].truncate(from);
        args[at].extend_from_slice(MASK);
    }
}

fn habits_of(arg: &[u8]) -> Option<&'static [Told]> {
    let name = arg.rsplit_str("/").next()?;
    HABITS
        .iter()
        .find(|(programs, _)| programs.iter().any(|program| program.as_bytes() == name))
        .map(|(_, forms)| *forms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_masked_and_nothing_else() {
        let cases = [
            ("sshpass -p hunter2 ssh host", "sshpass -p *** ssh host"),
            ("sshpass -phunter2 ssh -p 22 host", "sshpass -p*** ssh -p 22 host"),
            ("/usr/bin/mysql -u root -phunter2 db", "/usr/bin/mysql -u root -p*** db"),
            ("sudo mysqldump --port 3306 -px db", "sudo mysqldump --port 3306 -p*** db"),
            ("curl -u bob:hunter2 https://x", "curl -u bob:*** https://x"),
            ("curl -u bob https://x", "curl -u bob https://x"),
            ("smbclient -U bob%hunter2 //h/s", "smbclient -U bob%*** //h/s"),
            ("redis-cli -h x -a hunter2", "redis-cli -h x -a ***"),
            ("openssl enc -k hunter2 -pass pass:hunter2", "openssl enc -k *** -pass pass:***"),
            ("aws configure set aws_secret_access_key X", "aws configure set aws_secret_access_key ***"),
            ("tar -p -a x", "tar -p -a x"),
        ];
        for (line, expected) in cases {
            let mut args: Vec<BString> = line.split(' ').map(BString::from).collect();
            mask(&mut args);
            assert_eq!(bstr::join(" ", &args).as_bstr(), expected, "{line}");
        }
    }
}
