//! Sensors that lie: each loses its own upload and touches nothing else.

use super::*;

/// What a sensor may send about request 1 instead of the bytes `honest`, and why it is refused.
fn lies() -> Vec<(Vec<EvidencePart>, &'static str)> {
    let good = || EvidencePart::Chunk(chunk(1, 0, b"hon"));
    let broken = |change: fn(&mut v1::EvidenceChunk)| {
        let mut chunk = chunk(1, 3, b"est");
        change(&mut chunk);
        vec![good(), EvidencePart::Chunk(chunk)]
    };
    let ended = |change: fn(&mut v1::EvidenceEnd)| {
        let mut end = end(1, b"honest");
        change(&mut end);
        vec![good(), EvidencePart::Chunk(chunk(1, 3, b"est")), EvidencePart::End(end)]
    };
    let mut flood: Vec<EvidencePart> =
        (0..11).map(|place| EvidencePart::Chunk(chunk(1, place * 100, &[7; 100]))).collect();
    flood.push(EvidencePart::End(end(1, &[7; 1100])));
    vec![
        (broken(|chunk| chunk.offset = 2), "a chunk for offset 2 where 3 comes next"),
        (broken(|chunk| chunk.offset = 4), "a chunk for offset 4 where 3 comes next"),
        (broken(|chunk| chunk.offset = u64::MAX), "a chunk for offset 18446744073709551615 where 3 comes next"),
        (broken(|chunk| chunk.data[0] ^= 1), "the chunk at offset 3 is not what its SHA-256 says"),
        (broken(|chunk| chunk.sha256.clear()), "the chunk at offset 3 is not what its SHA-256 says"),
        (broken(|chunk| chunk.data.clear()), "a chunk of 0 bytes; the protocol allows 1 to 262144"),
        (broken(|chunk| chunk.data.resize(300_000, 0)), "a chunk of 300000 bytes; the protocol allows 1 to 262144"),
        (flood, "more than the 1000 bytes that were allowed"),
        (ended(|end| end.size = 7), "6 bytes arrived where 7 were announced"),
        (ended(|end| end.size = u64::MAX), "6 bytes arrived where 18446744073709551615 were announced"),
        (ended(|end| end.sha256[0] ^= 1), "the whole is not what its SHA-256 says"),
        (ended(|end| end.sha256.clear()), "the whole is not what its SHA-256 says"),
        (ended(|end| end.outcome = 0), "an end that says neither success nor failure"),
        (ended(|end| end.outcome = 99), "an end that says neither success nor failure"),
    ]
}

#[tokio::test]
async fn every_lie_ends_the_upload_with_its_reason_and_nobody_elses() {
    for (parts, reason) in lies() {
        let mut house = House::with(|config| Config { bytes_max: 1000, ..config }).await;
        assert_eq!(house.wish(1, 42).await, 1);
        let other = house.wish(2, 42).await;
        house.say(2, EvidencePart::Chunk(chunk(other, 0, b"so"))).await;
        for part in parts {
            house.say(1, part).await;
        }
        let failed = house.in_state(RequestState::Failed).await;
        assert_eq!(failed.len(), 1, "{reason}");
        assert_eq!(failed[0].detail.as_deref(), Some(format!("refused: {reason}").as_str()));
        assert_eq!(house.evidence.counts().uploads_refused.get(), 1);
        house.say(2, EvidencePart::Chunk(chunk(other, 2, b"und"))).await;
        house.say(2, EvidencePart::End(end(other, b"sound"))).await;
        let evidence = house.store.evidence_page(None, 10).await.unwrap();
        assert_eq!((evidence.len(), evidence[0].sensor), (1, sensor(2)), "{reason}");
        assert_eq!(house.files_in_the_making(), 0, "{reason}");
    }
}

#[tokio::test]
async fn nobody_speaks_about_anothers_request_or_about_none() {
    let mut house = House::new().await;
    let request = house.wish(1, 42).await;
    house.say(1, EvidencePart::Chunk(chunk(request, 0, b"by"))).await;
    // Sensor 2 says everything that could spoil sensor 1's upload.
    house.say(2, EvidencePart::Chunk(chunk(request, 2, b"XXX"))).await;
    house.say(2, EvidencePart::Chunk(chunk(request, 9, b"XXX"))).await;
    house.say(2, EvidencePart::End(end(request, b"by"))).await;
    house.say(2, EvidencePart::Broken { request }).await;
    for request in [0, 77, u64::MAX] {
        house.upload(1, request, b"unasked").await;
    }
    house.say(1, EvidencePart::Chunk(chunk(request, 2, b"tes"))).await;
    house.say(1, EvidencePart::End(end(request, b"bytes"))).await;
    let evidence = house.store.evidence_page(None, 10).await.unwrap();
    assert_eq!(evidence.len(), 1);
    assert_eq!((evidence[0].sensor, evidence[0].size), (sensor(1), 5));
    assert_eq!(house.evidence.counts().strays.get(), 10);
    // Nor about one that is over.
    house.upload(1, request, b"other").await;
    assert_eq!(house.store.evidence_page(None, 10).await.unwrap(), evidence);
}

#[tokio::test]
async fn paths_of_a_host_are_only_ever_text() {
    let mut house = House::new().await;
    let request = house.wish(1, 42).await;
    let path = [b"../../../../etc/cron.d/x\0\x1b]0;".as_slice(), &[b'a'; 9000]].concat();
    house.say(1, EvidencePart::Chunk(chunk(request, 0, b"bytes"))).await;
    house.say(1, EvidencePart::End(v1::EvidenceEnd { path: path.clone(), ..end(request, b"bytes") })).await;
    let row = &house.store.evidence_page(None, 10).await.unwrap()[0];
    assert_eq!(row.path.as_slice(), &path[..4096]);
    let custody = house.store.custody(row.id).await.unwrap();
    assert!(custody.iter().all(|entry| !entry.detail.contains('\x1b') && !entry.detail.contains('\0')));
    let files: Vec<_> = std::fs::read_dir(house.dir.path().join("evidence"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(files.len(), 2, "{files:?}");
    assert!(files.contains(&row.id.to_string()[..2].to_owned()));
}
