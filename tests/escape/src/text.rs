//! How does a case of the corpus spell bytes and what differs from run to run? `\xNN`, `\r`, `\n`, `\0`, and names in braces.

use crate::field::Field;
use crate::token::Token;
use crate::tried::NotApplicable;

/// Puts in what stands in braces: `{token}`, `{name}` (token below the zone), `{zone}`, `{allowed}`, `{allowed-http}`,
/// `{unlisted}`, `{rebind}`, `{mark4}`, `{mark6}`, `{mark4-octal}` and its kin, `{proxy}`, `{resolver}`, `{loopback}`,
/// `{loopback-port}`, `{host}`, `{listener4}`, `{listener6}`, `{link}`; `{x:N}` is the letter N times.
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
    if let Some(length) = repeated(name) {
        return Ok("x".repeat(length));
    }
    Ok(match name {
        "token" => token.text().into(),
        "name" => token.name(field)?,
        "zone" => field.names()?.zone.clone(),
        "allowed" => field.names()?.allowed.clone(),
        "allowed-http" => field.names()?.allowed_http.clone(),
        "unlisted" => field.names()?.unlisted.clone(),
        "rebind" => field.names()?.rebind.clone().ok_or(NotApplicable::field("names.rebind"))?,
        "mark4" => token.v4()?.to_string(),
        "mark4-octal" => dotted(token.v4()?, |part| format!("{part:#05o}").replace('o', "")),
        "mark4-hex" => dotted(token.v4()?, |part| format!("{part:#x}")),
        "mark4-decimal" => token.v4()?.to_bits().to_string(),
        "mark4-short" => {
            let [first, rest @ ..] = token.v4()?.octets();
            format!("{first}.{}", u32::from_be_bytes([0, rest[0], rest[1], rest[2]]))
        }
        "mark4-groups" => {
            let [a, b, c, d] = token.v4()?.octets();
            format!("{:x}:{:x}", u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
        }
        "mark6" => token.v6()?.to_string(),
        "proxy" => field.proxy()?.to_string(),
        "resolver" => field.foreign_resolver()?.ip().to_string(),
        "loopback" => field.host.loopback.ok_or(NotApplicable::field("host.loopback"))?.to_string(),
        "loopback-port" => field.host.loopback.ok_or(NotApplicable::field("host.loopback"))?.port().to_string(),
        "listener4" | "listener6" => {
            let wanted = field.host.listeners.iter().find(|listener| listener.is_ipv4() == name.ends_with('4'));
            wanted.ok_or(NotApplicable::field("host.listeners"))?.to_string()
        }
        "link" => link().ok_or(NotApplicable("no link with an IPv6 address".into()))?.to_string(),
        "host" => field.host.some(&field.host.addresses, "host.addresses")?[0].to_string(),
        _ => return Err(NotApplicable(format!("nothing is called {{{name}}}"))),
    })
}

/// How often the letter of `{x:N}` stands there.
pub(crate) fn repeated(name: &str) -> Option<usize> {
    name.strip_prefix("x:")?.parse().ok().filter(|length| *length <= 1 << 17)
}

fn dotted(address: std::net::Ipv4Addr, spell: impl Fn(u8) -> String) -> String {
    address.octets().map(spell).join(".")
}

/// The number of the first link with an IPv6 address that is not the loopback.
fn link() -> Option<u32> {
    let links = std::fs::read_to_string("/proc/net/if_inet6").ok()?;
    let mut links = links.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let first = links.find(|words| words.last().is_some_and(|name| *name != "lo"))?;
    u32::from_str_radix(first.get(1)?, 16).ok()
}

/// The names that [`fill`] knows.
#[cfg(test)]
pub(crate) const NAMES: [&str; 22] = [
    "rebind",
    "mark4-octal",
    "mark4-hex",
    "mark4-decimal",
    "mark4-short",
    "mark4-groups",
    "loopback-port",
    "listener4",
    "listener6",
    "link",
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
