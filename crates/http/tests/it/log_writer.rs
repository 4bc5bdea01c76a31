//! Logs on a real disk: whole records, renamed files, full disks, slow disks.

use httpd::log::{Access, Format, Log, LogError, LogStats, RequestLine, Target, TimeText, Trouble};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::Duration;
use tempfile::TempDir;

/// Longer than any test machine is busy.
const PATIENCE: Duration = Duration::from_secs(60);

fn open(path: &Path) -> Log {
    Log::open(Target::File(path.to_owned()), |trouble| {
        panic!("{trouble:?}")
    })
    .unwrap()
}

fn write(lines: &mut httpd::log::Lines, record: &str) {
    lines.record(|out| {
        out.extend_from_slice(record.as_bytes());
        out.push(b'\n');
    });
}

/// A pipe that is open, but not read.
fn pipe(folder: &TempDir) -> (fs::File, PathBuf) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let path = folder.path().join("pipe");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let pipe = fs::OpenOptions::new().read(true).write(true).open(&path);
    (pipe.unwrap(), path)
}

/// Several logs on one file, as several processes have, each with several
/// threads; records of very different lengths. On a busy machine some are
/// dropped: none is ever in two pieces, and all are accounted for.
#[test]
fn records_never_mix() {
    const LOGS: usize = 3;
    const THREADS: usize = 4;
    const RECORDS: usize = 500;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("access.log");
    let logs: Vec<Log> = (0..LOGS)
        .map(|_| Log::open(Target::File(path.clone()), drop).unwrap())
        .collect();
    std::thread::scope(|scope| {
        for (log, number) in logs.iter().zip(0..) {
            for thread in 0..THREADS {
                let mut lines = log.lines();
                scope.spawn(move || {
                    for record in 0..RECORDS {
                        let filler = "x".repeat((record * 37) % 3000);
                        write(
                            &mut lines,
                            &format!("<{number}.{thread}.{record}:{filler}>"),
                        );
                        if record % 7 == 0 {
                            lines.hand_over();
                        }
                    }
                });
            }
        }
    });
    let stats: Vec<LogStats> = logs.into_iter().map(|log| log.close(PATIENCE)).collect();
    let text = fs::read_to_string(&path).unwrap();
    let mut next = [[0; THREADS]; LOGS];
    for line in text.lines() {
        let inner = line
            .strip_prefix('<')
            .and_then(|line| line.strip_suffix('>'));
        let (name, filler) = inner.and_then(|line| line.split_once(':')).expect(line);
        let numbers: Vec<usize> = name
            .split('.')
            .map(|number| number.parse().unwrap())
            .collect();
        let [log, thread, record] = numbers[..] else {
            panic!("{line}")
        };
        assert_eq!(filler.len(), (record * 37) % 3000, "{line}");
        assert!(record >= next[log][thread], "out of order: {line}");
        next[log][thread] = record + 1;
    }
    let written: u64 = stats.iter().map(|stats| stats.written).sum();
    let dropped: u64 = stats.iter().map(|stats| stats.dropped).sum();
    assert_eq!(written, text.lines().count() as u64);
    assert_eq!(written + dropped, (LOGS * THREADS * RECORDS) as u64);
}

#[test]
fn a_renamed_log_is_opened_anew() {
    let folder = TempDir::new().unwrap();
    let (path, old) = (folder.path().join("a.log"), folder.path().join("a.log.1"));
    let log = open(&path);
    let mut lines = log.lines();
    write(&mut lines, "before");
    lines.hand_over();
    log.flush().unwrap();
    fs::rename(&path, &old).unwrap();
    write(&mut lines, "after the rename");
    lines.hand_over();
    log.reopen().unwrap();
    write(&mut lines, "after the reopening");
    drop(lines);
    assert_eq!(
        log.close(PATIENCE),
        LogStats {
            written: 3,
            dropped: 0,
            failed: 0
        }
    );
    assert_eq!(
        fs::read_to_string(&old).unwrap(),
        "before\nafter the rename\n"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "after the reopening\n");
}

#[test]
fn a_log_that_cannot_be_opened_is_named() {
    let folder = TempDir::new().unwrap();
    let (path, away) = (folder.path().join("logs"), folder.path().join("away"));
    fs::create_dir(&path).unwrap();
    let error = Log::open(Target::File(path.join("no/a.log")), drop).unwrap_err();
    assert!(error.to_string().contains("no/a.log"), "{error}");
    // A reopening that fails leaves the log as it was.
    let log = open(&path.join("a.log"));
    fs::rename(&path, &away).unwrap();
    assert!(matches!(log.reopen(), Err(LogError::Open { .. })));
    let mut lines = log.lines();
    write(&mut lines, "still here");
    drop(lines);
    drop(log);
    assert_eq!(
        fs::read_to_string(away.join("a.log")).unwrap(),
        "still here\n"
    );
}

#[test]
fn a_full_disk_is_told_once_and_again_when_it_is_twice_as_bad() {
    let (sender, told) = channel();
    let log = Log::open(Target::File("/dev/full".into()), move |trouble| {
        sender.send(trouble).unwrap();
    })
    .unwrap();
    let mut lines = log.lines();
    for _ in 0..9 {
        write(&mut lines, "lost");
        lines.hand_over();
    }
    drop(lines);
    assert_eq!(
        log.close(PATIENCE),
        LogStats {
            written: 0,
            dropped: 0,
            failed: 9
        }
    );
    let told: Vec<u64> = told
        .iter()
        .map(|trouble| match trouble {
            Trouble::Failed(lost, error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
                lost
            }
            Trouble::Dropped(_) => panic!("there was room in the channel"),
        })
        .collect();
    assert_eq!(told, [1, 2, 4, 8]);
}

/// A pipe that nobody reads is the slowest disk there is: who logs does not wait
/// for it, and what is lost is counted.
#[test]
fn a_slow_disk_slows_nobody() {
    let folder = TempDir::new().unwrap();
    let (mut pipe, path) = pipe(&folder);
    let (sender, told) = channel();
    let log = Log::open(Target::File(path), move |trouble| {
        sender.send(trouble).unwrap();
    })
    .unwrap();
    let mut lines = log.lines();
    let record = "y".repeat(1000);
    let count = 20_000;
    for _ in 0..count {
        write(&mut lines, &record);
    }
    lines.hand_over();
    let dropped = log.stats().dropped;
    assert!(dropped > 0 && dropped < count, "{dropped}");
    // Now it is read.
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut text = Vec::new();
            let mut left = (count - dropped) as usize * (record.len() + 1);
            let mut buffer = vec![0; 1 << 16];
            while left > 0 {
                let read = pipe.read(&mut buffer).unwrap();
                text.extend_from_slice(&buffer[..read]);
                left -= read;
            }
            text
        });
        drop(lines);
        assert_eq!(
            log.close(PATIENCE),
            LogStats {
                written: count - dropped,
                dropped,
                failed: 0
            }
        );
        let text = String::from_utf8(reader.join().unwrap()).unwrap();
        assert!(text.lines().all(|line| line == record));
    });
    assert!(matches!(told.recv(), Ok(Trouble::Dropped(told)) if told <= dropped));
}

/// The same pipe at the end: nobody ever reads it, and the server ends anyway.
#[test]
fn a_disk_that_hangs_hangs_nobody() {
    let folder = TempDir::new().unwrap();
    let (_pipe, path) = pipe(&folder);
    let log = Log::open(Target::File(path), drop).unwrap();
    let mut lines = log.lines();
    for _ in 0..400 {
        write(&mut lines, &"z".repeat(40_000));
    }
    assert!(matches!(log.reopen(), Err(LogError::Behind)));
    let stats = log.close(Duration::from_millis(1));
    assert!(stats.dropped > 0, "{stats:?}");
}

#[test]
fn an_access_record_goes_through() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("access.log");
    let log = open(&path);
    let (mut lines, mut time) = (log.lines(), TimeText::default());
    let access = Access {
        since_epoch: Duration::from_secs(784_111_777),
        remote: None,
        user: None,
        request: Some(RequestLine {
            method: b"GET",
            target: b"/",
            version: "HTTP/1.1",
        }),
        host: None,
        status: 304,
        bytes: 0,
        duration: Duration::ZERO,
        referer: None,
        user_agent: None,
    };
    lines.record(|out| access.write(Format::Common, &mut time, out));
    drop(lines);
    drop(log);
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "- - - [06/Nov/1994:08:49:37 +0000] \"GET / HTTP/1.1\" 304 0\n"
    );
}
