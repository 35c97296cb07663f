//! Downloading one file over HTTP, taking up where an earlier attempt was cut off.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use ureq::http::header::{CONTENT_RANGE, LOCATION, RANGE};
use ureq::http::{StatusCode, Uri};

use super::archives::Archive;
use super::verified::sha256_of_file;
use crate::error::{Error, Result};

/// How far the download of one file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchProgress<'a> {
    /// The file's name on the server.
    pub file: &'a str,
    /// Bytes that are here, those of earlier attempts among them.
    pub received_bytes: u64,
    /// Bytes the whole file has.
    pub total_bytes: u64,
}

const MOST_REDIRECTIONS: usize = 5;

const AGAIN: &str = "run the same command again to go on from there";

/// Downloads `archive` to the file `part` and verifies it. The `bases` are tried in order.
///
/// Whatever was received stays in `part`, for the next attempt to go on from, unless the whole
/// file is there and its checksum is wrong: then it is removed.
///
/// # Errors
/// The first base's error: [`Error::Network`], or [`Error::Corrupt`] for a wrong checksum; and
/// [`Error::Io`] if the file cannot be written.
pub(super) fn download(
    bases: &[impl AsRef<str>],
    archive: &Archive,
    part: &Path,
    progress: &mut dyn FnMut(FetchProgress),
) -> Result<()> {
    let mut first_error = None;
    for base in bases {
        let url = format!("{}/{}", base.as_ref().trim_end_matches('/'), archive.file);
        let outcome =
            complete(&url, archive, part, progress).and_then(|()| verify(&url, archive, part));
        match outcome {
            Ok(()) => return Ok(()),
            Err(error @ Error::Io { .. }) => return Err(error),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(first_error.unwrap_or_else(|| network(archive.file, "no address is known")))
}

fn network(url: &str, reason: impl Into<String>) -> Error {
    Error::Network {
        url: url.to_owned(),
        reason: reason.into(),
    }
}

/// Brings `part` to the archive's length.
fn complete(
    url: &str,
    archive: &Archive,
    part: &Path,
    progress: &mut dyn FnMut(FetchProgress),
) -> Result<()> {
    let present = fs::metadata(part).map_or(0, |data| data.len());
    if present >= archive.bytes {
        // `verify` removes it if it is too long or wrong.
        return Ok(());
    }
    let mut response = asked(url, present)?;

    let resumes = match response.status() {
        StatusCode::OK => false,
        StatusCode::PARTIAL_CONTENT if starts_at(&response, present) => true,
        StatusCode::PARTIAL_CONTENT => {
            return Err(network(url, "the server sent another part than was asked"));
        }
        status => return Err(network(url, format!("the server answered {status}"))),
    };
    let mut received = if resumes { present } else { 0 };
    let announced = response.body().content_length();
    if let Some(announced) = announced.filter(|length| received + length != archive.bytes) {
        // A login page of a café, for instance.
        let reason = format!(
            "the server offers {} bytes, but the genuine file has {}",
            received + announced,
            archive.bytes
        );
        return Err(network(url, reason));
    }

    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .append(resumes)
        .truncate(!resumes)
        .open(part)
        .map_err(Error::io("write", part))?;
    let mut body = response.body_mut().as_reader();
    let mut buffer = vec![0; 1 << 16];
    let mut report = |received_bytes| {
        progress(FetchProgress {
            file: archive.file,
            received_bytes,
            total_bytes: archive.bytes,
        });
    };
    report(received);
    while received < archive.bytes {
        let count = body.read(&mut buffer).map_err(|error| {
            let total = archive.bytes;
            let error = one_line(&error);
            network(
                url,
                format!("{error} after {received} of {total} bytes; {AGAIN}"),
            )
        })?;
        if count == 0 {
            break;
        }
        // A server that announced no length may go on for ever.
        let wanted = usize::try_from(archive.bytes - received).unwrap_or(usize::MAX);
        let bytes = &buffer[..count.min(wanted)];
        file.write_all(bytes).map_err(Error::io("write", part))?;
        received += bytes.len() as u64;
        report(received);
    }
    file.sync_all().map_err(Error::io("write", part))?;
    if received < archive.bytes {
        let total = archive.bytes;
        let reason = format!("the connection ended after {received} of {total} bytes; {AGAIN}");
        return Err(network(url, reason));
    }
    Ok(())
}

/// The answer to a request for the bytes of `url` from `present` on, after redirections within the
/// same host.
fn asked(url: &str, present: u64) -> Result<ureq::http::Response<ureq::Body>> {
    let mut address = url.to_owned();
    for _ in 0..=MOST_REDIRECTIONS {
        let mut request = agent(&address).get(&address);
        if present > 0 {
            request = request.header(RANGE, format!("bytes={present}-"));
        }
        let response = request
            .call()
            .map_err(|error| network(url, one_line(&error)))?;
        if !response.status().is_redirection() {
            return Ok(response);
        }
        let location = response.headers().get(LOCATION);
        let location = location.and_then(|value| value.to_str().ok());
        let next = location.and_then(|location| redirected(&address, location));
        address = next.ok_or_else(|| {
            let location = location.unwrap_or("no address");
            let reason = format!(
                "the server sends on to {location}, which is not the same host by the same or a safer \
                 protocol"
            );
            network(url, reason)
        })?;
    }
    Err(network(
        url,
        "the server sends from one address to the next",
    ))
}

/// Where a redirection from `from` leads; nowhere if that is another host, or unencrypted where
/// `from` is encrypted.
fn redirected(from: &str, location: &str) -> Option<String> {
    let from: Uri = from.parse().ok()?;
    if location.starts_with('/') && !location.starts_with("//") {
        return Some(format!(
            "{}://{}{location}",
            from.scheme()?,
            from.authority()?
        ));
    }
    let to: Uri = location.parse().ok()?;
    let is_safe = match to.scheme_str()? {
        "https" => true,
        "http" => from.scheme_str()? == "http",
        _ => false,
    };
    let same_host = from.host()?.eq_ignore_ascii_case(to.host()?);
    (is_safe && same_host).then(|| location.to_owned())
}

/// Whether a partial answer is the part from byte `start` on: `Content-Range: bytes START-…`.
fn starts_at(response: &ureq::http::Response<ureq::Body>, start: u64) -> bool {
    response
        .headers()
        .get(CONTENT_RANGE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.trim().starts_with(&format!("bytes {start}-")))
}

fn verify(url: &str, archive: &Archive, part: &Path) -> Result<()> {
    let found = sha256_of_file(part)?;
    if found == archive.sha256 {
        return Ok(());
    }
    fs::remove_file(part).map_err(Error::io("remove", part))?;
    Err(Error::corrupt(
        Path::new(archive.file),
        format!(
            "what {url} sent has SHA-256 {found}, not {}",
            archive.sha256
        ),
        "it was removed; run the same command again",
    ))
}

/// The network's limits are on silence, not on the whole: the archives take minutes on a slow line.
fn agent(url: &str) -> ureq::Agent {
    let mut config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        // They are followed here, where it is known to which hosts.
        .max_redirects(0)
        // The archives are compressed as they are; their bytes must arrive unchanged.
        .accept_encoding("identity")
        .user_agent(concat!("mup2/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_resolve(Some(Duration::from_secs(20)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .timeout_per_read(Some(Duration::from_secs(60)));
    // A proxy cannot reach this machine's own loopback address.
    if url.starts_with("http://127.0.0.1:") || url.starts_with("http://localhost:") {
        config = config.proxy(None);
    }
    config.build().into()
}

fn one_line(error: &impl std::fmt::Display) -> String {
    error.to_string().replace(['\n', '\r'], " ")
}

/// Makes what a directory lists durable, where the system has such a call.
pub(super) fn sync_directory(directory: &Path) -> Result<()> {
    if cfg!(unix) {
        let opened = File::open(directory).map_err(Error::io("open", directory))?;
        opened.sync_all().map_err(Error::io("write", directory))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::redirected;

    #[test]
    fn only_the_same_host_is_followed_and_never_to_less_safety() {
        let from = "https://host.org/a/b.gz";
        let to = |location| redirected(from, location);
        assert_eq!(to("/c.gz").as_deref(), Some("https://host.org/c.gz"));
        assert_eq!(
            to("https://HOST.org/c").as_deref(),
            Some("https://HOST.org/c")
        );
        for refused in [
            "http://host.org/c",
            "https://other.org/c",
            "https://host.org.evil.net/c",
            "https://host.org@evil.net/c",
            "//evil.net/c",
            "file:///etc/passwd",
            "ftp://host.org/c",
            "c.gz",
        ] {
            assert_eq!(to(refused), None, "{refused}");
        }
        let open = redirected("http://host.org/a", "https://host.org/a");
        assert_eq!(open.as_deref(), Some("https://host.org/a"));
    }
}
