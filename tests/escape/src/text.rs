//! How does a case of the corpus spell bytes and what differs from run to run? `\xNN`, `\r`, `\n`, `\0`, and names in braces.

use crate::field::Field;
use crate::token::Token;
use crate::tried::NotApplicable;

/// Puts in what stands in braces: `{token}`, `{name}` (token below the zone), `{zone}`, `{allowed}`, `{allowed-http}`,
/// `{unlisted}`, `{mark4}`, `{mark6}`, `{proxy}`, `{resolver}`, `{loopback}`, `{host}`.
pub(crate) fn fill(text: &str, field: &Field, token: &Token) -> Result<String, NotApplicable> {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('{') {
        let (name, next) = after.split_once('}').ok_or(NotApplicable(format!("a brace is open in {text:?}")))?;
        out.push_str(before);
        out.push_str(&value(name, field, token)?);
        rest = next;
    }
    out.push_str(rest);
    Ok(out)
}

fn value(name: &str, field: &Field, token: &Token) -> Result<String, NotApplicable> {
    Ok(match name {
        "token" => token.text().into(),
        "name" => token.name(field)?,
        "zone" => field.names()?.zone.clone(),
        "allowed" => field.names()?.allowed.clone(),
        "allowed-http" => field.names()?.allowed_http.clone(),
        "unlisted" => field.names()?.unlisted.clone(),
        "mark4" => token.v4()?.to_string(),
        "mark6" => token.v6()?.to_string(),
        "proxy" => field.proxy()?.to_string(),
        "resolver" => field.foreign_resolver()?.ip().to_string(),
        "loopback" => field.host.loopback.ok_or(NotApplicable::field("host.loopback"))?.to_string(),
        "host" => field.host.some(&field.host.addresses, "host.addresses")?[0].to_string(),
        _ => return Err(NotApplicable(format!("nothing is called {{{name}}}"))),
    })
}

/// The names that [`fill`] knows.
#[cfg(test)]
pub(crate) const NAMES: [&str; 12] = [
    "token",
    "name",
    "zone",
    "allowed",
    "allowed-http",
    "unlisted",
    "mark4",
    "mark6",
    "proxy",
    "resolver",
    "loopback",
    "host",
];

/// The bytes that a text with escapes means; nothing if an escape is none.
pub(crate) fn bytes(text: &str) -> Option<Vec<u8>> {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'\\' {
            out.push(first);
            continue;
        }
        let (&kind, after) = rest.split_first()?;
        rest = after;
        out.push(match kind {
            b'r' => b'\r',
            b'n' => b'\n',
            b't' => b'\t',
            b'0' => 0,
            b'\\' => b'\\',
            b'x' => {
                let (digits, after) = rest.split_at_checked(2)?;
                rest = after;
                u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?
            }
            _ => return None,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_mean_bytes_and_nothing_else_does() {
        assert_eq!(bytes("a\\r\\n\\x00\\xff\\\\").unwrap(), b"a\r\n\0\xff\\");
        assert!(bytes("\\q").is_none() && bytes("\\x1").is_none() && bytes("\\").is_none());
    }

    #[test]
    fn what_the_field_lacks_is_said() {
        let field = Field::default();
        let token = Token::of(&field, "a", 0);
        assert!(fill("{proxy}", &field, &token).unwrap_err().0.contains("proxy"));
        assert_eq!(fill("x{token}y", &field, &token).unwrap(), format!("x{}y", token.text()));
    }
}
