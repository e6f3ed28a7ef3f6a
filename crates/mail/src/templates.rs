//! The templates of mails, and how a mail is made of them.

use std::sync::OnceLock;

use minijinja::{AutoEscape, Environment, Value, context};
use model::{mail_address::MailAddress, time::Timestamp};

use crate::{Line, Link, Mail, MailId};

const TEMPLATES: [(&str, &str); 5] = [
    ("layout.html", include_str!("../templates/layout.html")),
    ("letter.txt", include_str!("../templates/letter.txt")),
    ("letter.html", include_str!("../templates/letter.html")),
    ("digest.txt", include_str!("../templates/digest.txt")),
    ("digest.html", include_str!("../templates/digest.html")),
];

/// Makes a mail of the two templates of this name, which show its title and these values.
pub(crate) fn mail_of(
    name: &str,
    (id, to): (MailId, MailAddress),
    at: Timestamp,
    (title, values): (&str, Value),
    stop: Option<Link>,
) -> Mail {
    let values = context! { title, ..values };
    Mail {
        id,
        to,
        at,
        subject: Line::new(title),
        text: render(&format!("{name}.txt"), &values),
        html: render(&format!("{name}.html"), &values),
        stop,
    }
}

/// Renders a template; tests render all of them.
fn render(name: &str, values: &Value) -> String {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    let environment = ENVIRONMENT.get_or_init(|| {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|name| match name.ends_with(".html") {
            true => AutoEscape::Html,
            false => AutoEscape::None,
        });
        for (name, source) in TEMPLATES {
            environment
                .add_template(name, source)
                .expect("a test renders every template");
        }
        environment
    });
    let template = environment.get_template(name);
    let template = template.expect("a test renders every template");
    template
        .render(values)
        .expect("a test renders every template")
}
