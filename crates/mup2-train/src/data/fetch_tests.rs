//! Fetching from a small HTTP server on the loopback address, which breaks off when told to.

use super::super::archives::{Archive, Contents, KnownFile, Source};
use super::super::unpack::tests::tar_gz;
use super::super::verified::sha256;
use super::*;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What the server does with the next request.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Ranges,
    /// Sends this many bytes less than it announced and closes the connection.
    CutBy(usize),
    IgnoresRanges,
    Error,
    /// Sends on to this machine by another name.
    Elsewhere,
}

struct Server {
    address: String,
    /// One manner for each request; the last stays.
    manners: Arc<Mutex<Vec<Manner>>>,
    /// The `Range` header of each request, empty where there was none.
    ranges: Arc<Mutex<Vec<String>>>,
}

/// Serves `content` at every path, one connection after another, until the test process ends.
fn serve(content: Vec<u8>, manners: &[Manner]) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server {
        address: format!("http://{}", listener.local_addr().unwrap()),
        manners: Arc::new(Mutex::new(manners.to_vec())),
        ranges: Arc::default(),
    };
    let (manners, ranges) = (server.manners.clone(), server.ranges.clone());
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let manner = {
                let mut manners = manners.lock().unwrap();
                if manners.len() > 1 {
                    manners.remove(0)
                } else {
                    manners[0]
                }
            };
            // A client that hangs up early is no failure of the server.
            let _ = answer(connection, &content, manner, &ranges);
        }
    });
    server
}

fn answer(
    mut connection: TcpStream,
    content: &[u8],
    manner: Manner,
    ranges: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut range = String::new();
    for line in BufReader::new(connection.try_clone()?).lines() {
        let line = line?.to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("range: ") {
            range = value.to_owned();
        }
    }
    ranges.lock().unwrap().push(range.clone());
    if manner == Manner::Error {
        return connection
            .write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    if manner == Manner::Elsewhere {
        let port = connection.local_addr()?.port();
        let answer = format!(
            "HTTP/1.1 302 Found\r\nLocation: http://localhost:{port}/set.tar.gz\r\n\
             Content-Length: 0\r\nConnection: close\r\n\r\n"
        );
        return connection.write_all(answer.as_bytes());
    }
    let start = range
        .strip_prefix("bytes=")
        .and_then(|range| range.strip_suffix('-'));
    let start = start.filter(|_| manner != Manner::IgnoresRanges);
    let (status, start) = match start {
        Some(start) => ("206 Partial Content", start.parse().unwrap()),
        None => ("200 OK", 0),
    };
    let body = &content[start..];
    let last = content.len() - 1;
    let total = content.len();
    write!(
        connection,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\
         Content-Range: bytes {start}-{last}/{total}\r\n\r\n",
        body.len()
    )?;
    let sent = match manner {
        Manner::CutBy(missing) => body.len() - missing,
        _ => body.len(),
    };
    connection.write_all(&body[..sent])
}

const FILES: [KnownFile<'static>; 1] = [KnownFile {
    name: "one.bin",
    bytes: 300_000,
    sha256: None,
}];

/// 300,000 bytes that gzip cannot make small.
fn content() -> Vec<u8> {
    let mut state = 1_u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..300_000).map(next).collect()
}

struct Outcome {
    result: std::result::Result<(), String>,
    reports: Vec<u64>,
}

/// Fetches an archive, of which only the length and `sum` are known, from `bases`.
fn fetch_archive(bases: &[&str], archive: &[u8], sum: &str, directory: &Path) -> Outcome {
    let archives = [Archive {
        file: "set.tar.gz",
        bytes: archive.len() as u64,
        sha256: sum,
        contents: Contents::TarGz(&FILES),
    }];
    let source = Source {
        name: "set",
        bases,
        archives: &archives,
    };
    let mut reports = vec![];
    let result = fetch_source(&source, directory, &mut |progress| {
        assert_eq!(
            (progress.file, progress.total_bytes),
            ("set.tar.gz", archive.len() as u64)
        );
        reports.push(progress.received_bytes);
    });
    Outcome {
        result: result.map_err(|error| error.to_string()),
        reports,
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn a_cut_connection_is_resumed_by_the_next_call_and_the_result_verified() {
    let archive = tar_gz(&[("set/one.bin", &content())]);
    let server = serve(archive.clone(), &[Manner::CutBy(100_000), Manner::Ranges]);
    let bases = [server.address.as_str()];
    let sum = sha256(&archive);
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("set");

    let first = fetch_archive(&bases, &archive, &sum, &directory);
    let message = first.result.unwrap_err();
    assert!(
        message.starts_with("cannot fetch http://127.0.0.1"),
        "{message}"
    );
    assert!(message.contains("run the same command again") && !message.contains('\n'));
    assert!(!directory.exists());

    let second = fetch_archive(&bases, &archive, &sum, &directory);
    second.result.unwrap();
    let kept = archive.len() as u64 - 100_000;
    assert_eq!(second.reports.first(), Some(&kept));
    assert_eq!(second.reports.last(), Some(&(archive.len() as u64)));
    assert_eq!(
        *server.ranges.lock().unwrap(),
        ["".to_owned(), format!("bytes={kept}-")]
    );
    assert_eq!(fs::read(directory.join("one.bin")).unwrap(), content());
    // Neither the download directory nor the archive is left.
    assert_eq!(names(parent.path()), ["set"]);

    let third = fetch_archive(&bases, &archive, &sum, &directory);
    third.result.unwrap();
    assert!(
        third.reports.is_empty(),
        "what is there is not fetched again"
    );
}

#[test]
fn a_server_without_ranges_sends_the_whole_file_again() {
    let archive = tar_gz(&[("set/one.bin", &content())]);
    let server = serve(
        archive.clone(),
        &[Manner::CutBy(50_000), Manner::IgnoresRanges],
    );
    let bases = [server.address.as_str()];
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("set");
    assert!(
        fetch_archive(&bases, &archive, &sha256(&archive), &directory)
            .result
            .is_err()
    );
    let second = fetch_archive(&bases, &archive, &sha256(&archive), &directory);
    second.result.unwrap();
    assert_eq!(second.reports.first(), Some(&0));
    assert_eq!(fs::read(directory.join("one.bin")).unwrap(), content());
}

#[test]
fn a_wrong_checksum_leaves_nothing_behind() {
    let archive = tar_gz(&[("set/one.bin", &content())]);
    let server = serve(archive.clone(), &[Manner::Ranges]);
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("set");
    let outcome = fetch_archive(&[&server.address], &archive, &sha256(b"other"), &directory);
    let message = outcome.result.unwrap_err();
    assert!(
        message.contains("has SHA-256") && !message.contains('\n'),
        "{message}"
    );
    assert!(!directory.exists());
    assert_eq!(names(&parent.path().join(".set.download")), ["lock"]);
}

#[test]
fn an_archive_that_leads_out_of_itself_is_refused_and_nothing_published() {
    let archive = tar_gz(&[("set/one.bin", &content()), ("../../escaped", b"x")]);
    let server = serve(archive.clone(), &[Manner::Ranges]);
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("inner/set");
    fs::create_dir(parent.path().join("inner")).unwrap();
    let outcome = fetch_archive(&[&server.address], &archive, &sha256(&archive), &directory);
    assert!(
        outcome
            .result
            .unwrap_err()
            .contains("`../../escaped` leads out of it")
    );
    assert_eq!(names(parent.path()), ["inner"]);
    assert!(!directory.exists());
}

#[test]
fn the_second_address_is_asked_when_the_first_fails() {
    let archive = tar_gz(&[("set/one.bin", &content())]);
    let broken = serve(archive.clone(), &[Manner::Error]);
    let works = serve(archive.clone(), &[Manner::Ranges]);
    let parent = tempfile::tempdir().unwrap();
    let bases = [broken.address.as_str(), works.address.as_str()];
    let directory = parent.path().join("set");
    fetch_archive(&bases, &archive, &sha256(&archive), &directory)
        .result
        .unwrap();

    let only_broken = fetch_archive(
        &bases[..1],
        &archive,
        &sha256(&archive),
        &parent.path().join("new"),
    );
    assert!(only_broken.result.unwrap_err().contains("503"));
}

#[test]
fn a_page_of_another_length_is_not_taken_for_the_file() {
    let server = serve(b"<html>please log in</html>".to_vec(), &[Manner::Ranges]);
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("set");
    let outcome = fetch_archive(
        &[&server.address],
        &[0; 1000],
        &sha256(&[0; 1000]),
        &directory,
    );
    let message = outcome.result.unwrap_err();
    assert!(message.contains("offers 26 bytes"), "{message}");
}

#[test]
fn a_redirection_to_another_host_is_not_followed() {
    let archive = tar_gz(&[("set/one.bin", &content())]);
    let server = serve(archive.clone(), &[Manner::Elsewhere, Manner::Ranges]);
    let directory = tempfile::tempdir().unwrap();
    let sum = sha256(&archive);
    let outcome = fetch_archive(&[&server.address], &archive, &sum, directory.path());
    let message = outcome.result.unwrap_err();
    assert!(
        message.contains("sends on to http://localhost:"),
        "{message}"
    );
    assert_eq!(server.ranges.lock().unwrap().len(), 1);
}

#[test]
fn no_network_is_one_line() {
    // A port that was free a moment ago refuses the connection.
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let base = format!("http://{address}");
    let parent = tempfile::tempdir().unwrap();
    let outcome = fetch_archive(&[&base], &[0; 10], "", &parent.path().join("set"));
    let message = outcome.result.unwrap_err();
    assert!(
        message.starts_with("cannot fetch http://127.0.0.1"),
        "{message}"
    );
    assert!(!message.contains('\n'));
}

#[test]
fn gzipped_files_are_kept_as_they_are_and_join_what_is_in_the_directory() {
    let file = KnownFile {
        name: "letters",
        bytes: 4,
        sha256: None,
    };
    let mut encoder = flate2::write::GzEncoder::new(vec![], flate2::Compression::default());
    encoder.write_all(b"abcd").unwrap();
    let gzipped = encoder.finish().unwrap();
    let sum = sha256(&gzipped);
    let server = serve(gzipped.clone(), &[Manner::Ranges]);
    let archives = [Archive {
        file: "letters.gz",
        bytes: gzipped.len() as u64,
        sha256: &sum,
        contents: Contents::Gzip(file),
    }];
    let source = Source {
        name: "set",
        bases: &[&server.address],
        archives: &archives,
    };
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("set");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("notes"), "mine").unwrap();
    fetch_source(&source, &directory, &mut |_| {}).unwrap();
    assert_eq!(fs::read(directory.join("letters.gz")).unwrap(), gzipped);
    assert_eq!(fs::read(directory.join("notes")).unwrap(), b"mine");
}

#[test]
fn what_nobody_publishes_is_not_fetched() {
    for name in [DatasetName::Embedded, DatasetName::Folder] {
        let message = fetch(name, Path::new("unused"), &mut |_| {})
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("mnist, fashion-mnist, cifar10, cifar100"),
            "{message}"
        );
    }
}
