//! What an S3 server answers, as far as code of our own reads it: refusals, and lists of uploads.
//! All other answers are read by the library that makes the requests.

use blobs::s3_answer::{ListedUpload, Said, UploadsPage, blob_at};
use model::time::Timestamp;
use quick_xml::events::Event;

use crate::text::first_line;

/// The longest part of what is told of a refusal, and how many there are.
const LONGEST_PART: usize = 300;
const PARTS: usize = 3;

/// A status with its name in the first line, and the body behind it.
///
/// Nothing panics. What is told of a refusal is one short line that begins with the status, and
/// names the code that a reader of XML finds. A list of uploads is written and read again as the
/// same; which of them are older than a moment is what their dates say; and a key is a blob's only
/// where that blob stands.
pub fn s3_answer(data: &[u8]) {
    let (status, body) = first_line(data);
    let status = String::from_utf8_lossy(status);
    let text = String::from_utf8_lossy(body);
    is_told_in_a_line(&status, &text);
    let Ok(page) = UploadsPage::read(body) else {
        return;
    };
    assert_eq!(
        UploadsPage::read(written(&page).as_bytes()),
        Ok(page.clone())
    );
    for upload in &page.uploads {
        is_as_old_as_it_says(upload);
        stands_at_its_place(&upload.key);
    }
}

fn is_told_in_a_line(status: &str, body: &str) {
    let said = Said::read(&format!("{status}: {body}"));
    let sentence = &said.sentence;
    assert!(!sentence.contains(char::is_control), "{sentence:?}");
    assert!(
        sentence.chars().count() <= PARTS * LONGEST_PART + 4,
        "{sentence}"
    );
    if status.contains(": ") {
        return;
    }
    let shown = status.chars().filter(|letter| !letter.is_control());
    let shown: String = shown.take(LONGEST_PART).collect();
    assert!(sentence.starts_with(&shown), "{sentence}");
    let number = status.get(..3).and_then(|digits| digits.parse().ok());
    assert_eq!(said.status, number);
    if let Some(code) = code_in(body) {
        let shown: String = code.chars().filter(|letter| !letter.is_control()).collect();
        let shown: String = shown.chars().take(LONGEST_PART).collect();
        assert_eq!(said.code.as_deref(), Some(&*shown));
        let is_of_bucket = shown == "NoSuchBucket";
        assert_eq!(said.is_missing(), number == Some(404) && !is_of_bucket);
    }
    if matches!(number, Some(400..500)) {
        assert!(said.is_refusal());
    }
}

/// The text of the first element `Code`, as a reader of XML finds it, where that is text alone.
fn code_in(body: &str) -> Option<String> {
    // Within these an element is none.
    if ["<!", "<?", "\"", "'"]
        .iter()
        .any(|mark| body.contains(mark))
    {
        return None;
    }
    let mut reader = quick_xml::Reader::from_str(body);
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) if &*start == b"Code" => break,
            Event::Eof => return None,
            _ => {}
        }
    }
    match reader.read_event().ok()? {
        Event::Text(text) => {
            let code = String::from_utf8(text.to_vec()).ok()?;
            matches!(reader.read_event(), Ok(Event::End(_))).then_some(code)
        }
        Event::End(_) => Some(String::new()),
        _ => None,
    }
}

/// Compares with a date of the usual form, read digit by digit.
fn is_as_old_as_it_says(upload: &ListedUpload) {
    let older = |millis| upload.is_older(Timestamp::from_millis(millis));
    match millis_in(&upload.initiated) {
        Some(millis) => {
            assert!(!older(millis), "{upload:?}");
            assert!(older(millis + 1), "{upload:?}");
        }
        // Then it is of another form, or no time; it is at one place or at none.
        None => assert!(!older(i64::MIN) && !older(0), "{upload:?}"),
    }
}

/// Milliseconds since 1970 of `2026-11-28T10:00:00.000Z`.
fn millis_in(date: &str) -> Option<i64> {
    const FORM: &str = "0000-00-00T00:00:00.000Z";
    let letters = date.bytes().zip(FORM.bytes());
    let is_of_form = |(letter, form): (u8, u8)| match form {
        b'0' => letter.is_ascii_digit(),
        form => letter == form,
    };
    if date.len() != FORM.len() || !letters.clone().all(is_of_form) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| date[range].parse::<i64>().unwrap();
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    let (hour, minute, second) = (number(11..13), number(14..16), number(17..19));
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_of = |month: i64| match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let is_date = year >= 1970 && (1..=12).contains(&month) && (1..=days_of(month)).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let of_years: i64 = (1970..year)
        .map(|year| if is_leap(year) { 366 } else { 365 })
        .sum();
    let days = of_years + (1..month).map(days_of).sum::<i64>() + day - 1;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000 + number(20..23))
}

/// The list in as few elements as there can be.
fn written(page: &UploadsPage) -> String {
    let element = |name, text: &str| format!("<{name}>{}</{name}>", escaped(text));
    let optional = |name, text: &Option<String>| {
        let text = text.as_deref();
        text.map(|text| element(name, text)).unwrap_or_default()
    };
    let uploads = page.uploads.iter().map(|upload| {
        let ListedUpload {
            key,
            upload_id,
            initiated,
        } = upload;
        let fields = [
            element("Initiated", initiated),
            element("UploadId", upload_id),
            element("Key", key),
        ];
        format!("<Upload>{}</Upload>", fields.concat())
    });
    format!(
        "<Page>{}{}{}<IsTruncated>{}</IsTruncated></Page>",
        uploads.collect::<String>(),
        optional("NextUploadIdMarker", &page.next_upload_id_marker),
        optional("NextKeyMarker", &page.next_key_marker),
        page.is_truncated,
    )
}

/// Spaces are escaped too: those at an end are no part of a text otherwise.
fn escaped(text: &str) -> String {
    let letters = text.chars().map(|letter| match letter {
        '<' | '>' | '&' | ' ' | '\t' | '\r' | '\n' => format!("&#{};", u32::from(letter)),
        letter => letter.to_string(),
    });
    letters.collect()
}

fn stands_at_its_place(key: &str) {
    for prefix in ["", "some/where"] {
        if let Some(id) = blob_at(prefix, key) {
            let id = id.to_string();
            let below = format!("{}/{}/{id}", &id[..2], &id[2..4]);
            let place = [prefix, &below].join("/");
            assert_eq!(place.trim_start_matches('/'), key);
        }
    }
}
