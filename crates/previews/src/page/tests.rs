//! Pages as they are written.

use super::*;

fn page(text: &str) -> Page {
    read(text.as_bytes(), None)
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn what_a_page_tells_those_who_link_to_it_is_read() {
    let read = page(
        r#"<!doctype html><html prefix="og: https://ogp.me/ns#"><head>
        <title>Minutes – the office</title>
        <meta property="og:title" content="Minutes &amp; more">
        <meta property="og:type" content="article" />
        <meta property='OG:Site_Name' content='The office'>
        <META NAME="og:description" CONTENT="What was
            said, and by &quot;whom&quot;">
        <meta property=og:image content=/pictures/table.png>
        <meta property="og:image" content="/pictures/chair.png">
        <meta property="og:image:width" content="4000">
        </head><body>…</body></html>"#,
    );
    let expected = Page {
        title: some("Minutes & more"),
        description: some("What was said, and by \"whom\""),
        site_name: some("The office"),
        kind: some("article"),
        image: some("/pictures/table.png"),
    };
    assert_eq!(read, expected);
}

#[test]
fn what_it_says_for_other_ends_stands_in_where_that_is_missing() {
    let read = page(
        r#"<title>
            Minutes
        </title><meta name="description" content="of the meeting"><link rel=image_src href=a.png>"#,
    );
    let expected = Page {
        title: some("Minutes"),
        description: some("of the meeting"),
        image: some("a.png"),
        ..Page::default()
    };
    assert_eq!(read, expected);

    let read = page(
        r#"<title>Minutes</title><meta name="description" content="plain">
        <meta name="twitter:title" content="Tweeted"><meta name="twitter:image:src" content="t.png">
        <meta name="twitter:description" content="short">"#,
    );
    let expected = Page {
        title: some("Tweeted"),
        description: some("short"),
        image: some("t.png"),
        ..Page::default()
    };
    assert_eq!(read, expected);
}

#[test]
fn what_only_looks_like_it_is_not_read() {
    for text in [
        "<!-- <title>no</title> -->",
        "<script>'<title>no</title>'</script>",
        "<style><meta property=og:title content=no></style>",
        "<textarea><meta property=og:title content=no></textarea>",
        "<body><svg><title>no</title></svg>",
        "<meta property=og:title>",
        "<meta property=og:title content='  '>",
        "<meta content=no>",
        "<meta name=title content=no>",
        "<meta itemprop=og:title content=no>",
        "no",
        "",
    ] {
        assert_eq!(page(text), Page::default(), "{text}");
    }
    assert_eq!(page("<title>a</title><title>b</title>").title, some("a"));
    assert_eq!(page("<title>a <b>c</title>d").title, some("a <b>c"));
}

#[test]
fn an_unfinished_page_gives_what_there_is() {
    assert_eq!(page("<title>Minut").title, some("Minut"));
    let read = page("<meta property=og:title content=whole><meta property=og:description conten");
    assert_eq!((read.title, read.description), (some("whole"), None));
}

#[test]
fn everything_has_a_bound() {
    let long = "x".repeat(100_000);
    let read = page(&format!(
        "<title>{long}</title><meta property=og:description content={long}><meta \
         property=og:site_name content={long}><meta property=og:image content={long}>"
    ));
    let chars = |text: Option<String>| text.map_or(0, |text| text.chars().count());
    assert_eq!(chars(read.title), MAX_TITLE_CHARS + 1);
    assert_eq!(chars(read.description), MAX_DESCRIPTION_CHARS + 1);
    assert_eq!(chars(read.site_name), MAX_NAME_CHARS + 1);
    assert_eq!(read.image, None);
}

/// A hundred thousand of each that would be a level, a token or an attribute of its own.
#[test]
fn depth_and_number_cost_nothing_but_their_length() {
    for piece in [
        "<div>",
        "<svg>",
        "<title>",
        "<a b",
        "<!--",
        "&",
        "<table><tr>",
        "</x>",
        "a=b ",
    ] {
        let read = page(&format!("<b {}", piece.repeat(100_000)));
        assert_eq!(read.image, None);
    }
}
