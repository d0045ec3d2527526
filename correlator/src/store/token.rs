//! Secrets that let somebody in: join tokens for sensors, tokens and links for people. Only their SHA-256 is stored, and they are
//! looked up by it, so that no comparison of secrets can be timed.

use bongsu_event::{SensorId, Timestamp};
use sha2::{Digest, Sha256};

use super::{ReadError, Store, WriteError, sensor};

/// What an API token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ApiTokenKind {
    /// Opens the web pages once, in exchange for a session.
    AdminLink,
    /// A browser's.
    Session,
    /// The CLI's, or another program's.
    Api,
}

impl ApiTokenKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::AdminLink => "admin-link",
            Self::Session => "session",
            Self::Api => "api",
        }
    }
}

/// Why a join token lets nobody in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JoinRefusal {
    #[error("the join token is unknown")]
    Unknown,
    #[error("the join token was used already; make another with `bongsu sensor token create`")]
    Spent,
    #[error("the join token has expired; make another with `bongsu sensor token create`")]
    Expired,
    #[error("the public key belongs to another sensor")]
    KeyInUse,
    #[error(transparent)]
    Store(#[from] WriteError),
}

fn hash(secret: &[u8]) -> Vec<u8> {
    Sha256::digest(secret).to_vec()
}

impl Store {
    /// Lets one sensor join with `secret` until `expires_at`.
    pub(crate) async fn add_join_token(
        &self,
        secret: &[u8],
        at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), WriteError> {
        let mut write = self.write().await?;
        sqlx::query("INSERT INTO join_token (hash, created_at, expires_at) VALUES (?, ?, ?)")
            .bind(hash(secret))
            .bind(at.0)
            .bind(expires_at.0)
            .execute(&mut *write)
            .await
            .map_err(WriteError::sql("a join token"))?;
        super::commit(write).await
    }

    /// Spends the token and adds the sensor, both or neither.
    pub(crate) async fn enrol(
        &self,
        secret: &[u8],
        id: SensorId,
        public_key: &[u8],
        host: &[u8],
        at: Timestamp,
    ) -> Result<(), JoinRefusal> {
        let hash = hash(secret);
        let mut write = self.write().await?;
        let token: Option<(i64, Option<i64>)> =
            sqlx::query_as("SELECT expires_at, spent_at FROM join_token WHERE hash = ?")
                .bind(&hash)
                .fetch_optional(&mut *write)
                .await
                .map_err(WriteError::sql("a join token"))?;
        match token {
            None => return Err(JoinRefusal::Unknown),
            Some((_, Some(_))) => return Err(JoinRefusal::Spent),
            Some((expires_at, None)) if expires_at <= at.0 => return Err(JoinRefusal::Expired),
            Some((_, None)) => {}
        }
        let taken: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM sensor WHERE public_key = ?)")
            .bind(public_key)
            .fetch_one(&mut *write)
            .await
            .map_err(WriteError::sql("a sensor"))?;
        if taken {
            return Err(JoinRefusal::KeyInUse);
        }
        sensor::insert(&mut write, id, public_key, host, at).await?;
        sqlx::query("UPDATE join_token SET spent_at = ?, sensor = ? WHERE hash = ?")
            .bind(at.0)
            .bind(id.to_string())
            .bind(&hash)
            .execute(&mut *write)
            .await
            .map_err(WriteError::sql("a join token"))?;
        super::commit(write).await?;
        Ok(())
    }

    /// Lets whoever has `secret` in under that name.
    pub(crate) async fn add_api_token(
        &self,
        secret: &[u8],
        kind: ApiTokenKind,
        name: &str,
        at: Timestamp,
        expires_at: Option<Timestamp>,
    ) -> Result<(), WriteError> {
        let mut write = self.write().await?;
        sqlx::query("INSERT INTO api_token (hash, kind, name, created_at, expires_at) VALUES (?, ?, ?, ?, ?)")
            .bind(hash(secret))
            .bind(kind.as_str())
            .bind(name)
            .bind(at.0)
            .bind(expires_at.map(|time| time.0))
            .execute(&mut *write)
            .await
            .map_err(WriteError::sql("an API token"))?;
        super::commit(write).await
    }

    /// Whose secret of that kind this is, if it is one that holds now.
    pub(crate) async fn api_token(
        &self,
        secret: &[u8],
        kind: ApiTokenKind,
        at: Timestamp,
    ) -> Result<Option<String>, ReadError> {
        sqlx::query_scalar(
            "SELECT name FROM api_token
             WHERE hash = ? AND kind = ? AND spent_at IS NULL AND (expires_at IS NULL OR expires_at > ?)",
        )
        .bind(hash(secret))
        .bind(kind.as_str())
        .bind(at.0)
        .fetch_optional(&self.readers)
        .await
        .map_err(ReadError::sql("an API token"))
    }

    /// Whether anybody ever used an admin link.
    pub(crate) async fn anybody_logged_in(&self) -> Result<bool, ReadError> {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM api_token WHERE kind = 'admin-link' AND spent_at IS NOT NULL)")
            .fetch_one(&self.readers)
            .await
            .map_err(ReadError::sql("an admin link"))
    }

    /// Takes a secret of that kind back.
    pub(crate) async fn revoke_api_token(
        &self,
        secret: &[u8],
        kind: ApiTokenKind,
        at: Timestamp,
    ) -> Result<(), WriteError> {
        let mut write = self.write().await?;
        sqlx::query("UPDATE api_token SET spent_at = ? WHERE hash = ? AND kind = ? AND spent_at IS NULL")
            .bind(at.0)
            .bind(hash(secret))
            .bind(kind.as_str())
            .execute(&mut *write)
            .await
            .map_err(WriteError::sql("an API token"))?;
        super::commit(write).await
    }

    /// Uses an admin link up; tells whose it was when it still held.
    pub(crate) async fn spend_admin_link(&self, secret: &[u8], at: Timestamp) -> Result<Option<String>, WriteError> {
        let mut write = self.write().await?;
        let name = sqlx::query_scalar(
            "UPDATE api_token SET spent_at = ?
             WHERE hash = ? AND kind = 'admin-link' AND spent_at IS NULL AND (expires_at IS NULL OR expires_at > ?)
             RETURNING name",
        )
        .bind(at.0)
        .bind(hash(secret))
        .bind(at.0)
        .fetch_optional(&mut *write)
        .await
        .map_err(WriteError::sql("an admin link"))?;
        super::commit(write).await?;
        Ok(name)
    }
}
