//! Sizes in bytes, written with their unit.

use bytesize::ByteSize;

use super::{Raw, Rejection, Value, quoted};

/// Units by size, for showing a size exactly.
const UNITS: [(&str, u64); 4] = [
    ("TiB", bytesize::TIB),
    ("GiB", bytesize::GIB),
    ("MiB", bytesize::MIB),
    ("KiB", bytesize::KIB),
];

impl Value for ByteSize {
    fn accepts() -> String {
        "a size of at least one byte, such as \"64 MiB\", \"2 GB\" or a number of bytes".to_owned()
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        let size = match raw {
            Raw::Number(bytes) => {
                Self(u64::try_from(*bytes).map_err(|_| Rejection::new("is negative"))?)
            }
            other => other
                .text()?
                .parse()
                .map_err(|_| Rejection::new("is not a size"))?,
        };
        // Sizes become signed 64-bit integers in the database.
        if size.0 == 0 || i64::try_from(size.0).is_err() {
            return Err(Rejection::new("is out of range"));
        }
        Ok(size)
    }

    fn show(&self) -> String {
        let exact = UNITS
            .iter()
            .find(|(_, bytes)| self.0 >= *bytes && self.0.is_multiple_of(*bytes));
        match exact {
            Some((unit, bytes)) => quoted(&format!("{} {unit}", self.0 / bytes)),
            None => quoted(&format!("{} B", self.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ByteSize, Raw, Value};

    #[test]
    fn a_size_is_shown_exactly() {
        for text in ["100 MiB", "1 B", "1536 KiB", "2 TiB", "1000001 B"] {
            let size = ByteSize::parse(&Raw::Text(text.to_owned()))
                .ok()
                .expect(text);
            assert_eq!(size.show(), format!("\"{text}\""));
        }
    }

    #[test]
    fn a_size_that_the_database_cannot_hold_is_refused() {
        for text in [
            "0",
            "0 MiB",
            "18446744073709551615",
            "9000 PiB",
            "-1",
            "many",
            "",
            "1 XB",
        ] {
            assert!(
                ByteSize::parse(&Raw::Text(text.to_owned())).is_err(),
                "{text}"
            );
        }
        assert!(ByteSize::parse(&Raw::Number(-1)).is_err());
        assert!(ByteSize::parse(&Raw::Number(4096)).is_ok());
    }
}
