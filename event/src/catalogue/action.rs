//! What an event did, in one word, and how ECS classifies that.

use crate::{
    Activity, FileActivity, FileOperation, Log, LogMeaning, Login, MountOperation, NamespaceWay, NetworkActivity,
    NetworkOperation, Outcome, TamperOperation,
};

macro_rules! actions {
    ($($action:ident $word:literal $category:literal $kind:literal,)*) => {
        /// What an event did: one for each word that `event.action` can be.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action {
            $(
                #[doc = concat!("`", $word, "`.")]
                $action,
            )*
        }

        impl Action {
            /// Every action.
            pub const ALL: &[Self] = &[$(Self::$action,)*];

            /// Its word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$action => $word,)* }
            }

            /// Its ECS `event.category`, one of the values that ECS 8.17 allows.
            #[must_use]
            pub const fn category(self) -> &'static str {
                match self { $(Self::$action => $category,)* }
            }

            /// Its ECS `event.type`, one that ECS 8.17 allows together with the category.
            #[must_use]
            pub const fn event_type(self) -> &'static str {
                match self { $(Self::$action => $kind,)* }
            }
        }
    };
}

actions! {
    Fork "fork" "process" "start",
    Exec "exec" "process" "start",
    ExecFailed "exec-failed" "process" "start",
    Exit "exit" "process" "end",
    SetName "set-name" "process" "change",
    FileCreate "file-create" "file" "creation",
    FileWrite "file-write" "file" "change",
    FileRead "file-read" "file" "access",
    FileDelete "file-delete" "file" "deletion",
    FileRename "file-rename" "file" "change",
    FileChmod "file-chmod" "file" "change",
    FileChown "file-chown" "file" "change",
    FileCloseWrite "file-close-write" "file" "change",
    FileLink "file-link" "file" "creation",
    FileSymlink "file-symlink" "file" "creation",
    FileTruncate "file-truncate" "file" "change",
    FileSetAttribute "file-set-attribute" "file" "change",
    Mount "mount" "host" "change",
    Unmount "unmount" "host" "change",
    Connect "connect" "network" "start",
    Accept "accept" "network" "start",
    Listen "listen" "network" "info",
    Bind "bind" "network" "info",
    Close "close" "network" "end",
    Send "datagram-send" "network" "start",
    Receive "datagram-receive" "network" "start",
    DnsQuestion "dns-question" "network" "protocol",
    DnsAnswer "dns-answer" "network" "protocol",
    TlsHello "tls-hello" "network" "protocol",
    SetCredentials "set-credentials" "process" "change",
    SetCapabilities "set-capabilities" "process" "change",
    NamespaceUnshare "namespace-unshare" "process" "change",
    NamespaceJoin "namespace-join" "process" "change",
    Ptrace "ptrace" "process" "access",
    MemoryWrite "memory-write" "process" "access",
    MemoryOpen "memory-open" "process" "access",
    ModuleLoad "module-load" "driver" "start",
    ModuleUnload "module-unload" "driver" "end",
    BpfLoad "bpf-load" "driver" "start",
    KexecLoad "kexec-load" "driver" "start",
    MemoryWriteExecute "memory-write-execute" "process" "change",
    MemfdCreate "memfd-create" "process" "change",
    RawSocket "raw-socket" "network" "start",
    IoUring "io-uring" "process" "info",
    AuthSuccess "auth-success" "authentication" "start",
    AuthFailure "auth-failure" "authentication" "start",
    ShellLine "shell-line" "process" "info",
    Log "log" "host" "info",
    LoginSuccess "login-success" "authentication" "start",
    LoginFailure "login-failure" "authentication" "start",
    Elevation "elevation" "session" "start",
    Suppressed "suppressed" "process" "info",
}

impl Action {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The action of an event.
    #[must_use]
    pub fn of(activity: &Activity) -> Self {
        match activity {
            Activity::Fork { .. } => Self::Fork,
            Activity::Exec(_) => Self::Exec,
            Activity::ExecFailed(_) => Self::ExecFailed,
            Activity::Exit { .. } => Self::Exit,
            Activity::SetName { .. } => Self::SetName,
            Activity::File(FileActivity { operation, .. }) => Self::of_file(*operation),
            Activity::Mount(mount) => match mount.operation {
                MountOperation::Mount => Self::Mount,
                MountOperation::Unmount => Self::Unmount,
            },
            Activity::Network(NetworkActivity { operation, .. }) => Self::of_network(*operation),
            Activity::Dns(dns) if dns.answer.is_some() => Self::DnsAnswer,
            Activity::Dns(_) => Self::DnsQuestion,
            Activity::Tls(_) => Self::TlsHello,
            Activity::SetCredentials { .. } => Self::SetCredentials,
            Activity::SetCapabilities { .. } => Self::SetCapabilities,
            Activity::Namespace(change) => match change.way {
                NamespaceWay::Unshare => Self::NamespaceUnshare,
                NamespaceWay::Join => Self::NamespaceJoin,
            },
            Activity::Tamper(tamper) => Self::of_tamper(tamper.operation),
            Activity::IoUring(_) => Self::IoUring,
            Activity::Authentication(authentication) => match authentication.outcome {
                Outcome::Success => Self::AuthSuccess,
                Outcome::Failure => Self::AuthFailure,
            },
            Activity::ShellLine { .. } => Self::ShellLine,
            Activity::Log(Log { meaning, .. }) => match meaning {
                None => Self::Log,
                Some(LogMeaning::Login(Login { outcome: Outcome::Success, .. })) => Self::LoginSuccess,
                Some(LogMeaning::Login(Login { outcome: Outcome::Failure, .. })) => Self::LoginFailure,
                Some(LogMeaning::Elevation { .. }) => Self::Elevation,
            },
            Activity::Suppressed(_) => Self::Suppressed,
        }
    }

    /// The action of that word.
    #[must_use]
    pub fn by_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.as_str() == word)
    }

    fn of_file(operation: FileOperation) -> Self {
        match operation {
            FileOperation::Create => Self::FileCreate,
            FileOperation::Write => Self::FileWrite,
            FileOperation::Read => Self::FileRead,
            FileOperation::Delete => Self::FileDelete,
            FileOperation::Rename => Self::FileRename,
            FileOperation::Chmod => Self::FileChmod,
            FileOperation::Chown => Self::FileChown,
            FileOperation::CloseWrite => Self::FileCloseWrite,
            FileOperation::Link => Self::FileLink,
            FileOperation::Symlink => Self::FileSymlink,
            FileOperation::Truncate => Self::FileTruncate,
            FileOperation::SetAttribute => Self::FileSetAttribute,
        }
    }

    fn of_network(operation: NetworkOperation) -> Self {
        match operation {
            NetworkOperation::Connect => Self::Connect,
            NetworkOperation::Accept => Self::Accept,
            NetworkOperation::Listen => Self::Listen,
            NetworkOperation::Bind => Self::Bind,
            NetworkOperation::Close => Self::Close,
            NetworkOperation::Send => Self::Send,
            NetworkOperation::Receive => Self::Receive,
        }
    }

    fn of_tamper(operation: TamperOperation) -> Self {
        match operation {
            TamperOperation::Ptrace => Self::Ptrace,
            TamperOperation::WriteMemory => Self::MemoryWrite,
            TamperOperation::OpenMemory => Self::MemoryOpen,
            TamperOperation::LoadModule => Self::ModuleLoad,
            TamperOperation::UnloadModule => Self::ModuleUnload,
            TamperOperation::LoadBpf => Self::BpfLoad,
            TamperOperation::LoadKernel => Self::KexecLoad,
            TamperOperation::WriteExecute => Self::MemoryWriteExecute,
            TamperOperation::MakeMemfd => Self::MemfdCreate,
            TamperOperation::RawSocket => Self::RawSocket,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_found_by_its_word_and_no_other() {
        for action in Action::ALL {
            assert_eq!(Action::by_word(action.as_str()), Some(*action));
        }
        assert_eq!(Action::by_word("execute"), None);
    }
}
