//! How is a capture kept in a file? As pcapng, which common tools read: one interface block a link, one block a packet. Pure.

use crate::capture::packet::Packet;
use crate::error::LabError;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const PACKET: u32 = 6;
const MAGIC: u32 = 0x1a2b_3c4d;
const NAME: u16 = 2;
const RESOLUTION: u16 = 9;
const FLAGS: u16 = 2;

/// Writes packets as one pcapng section, little-endian, with nanosecond times.
pub(crate) fn write(packets: &[Packet]) -> Vec<u8> {
    let mut out = Vec::new();
    let version = [MAGIC.to_le_bytes(), [1, 0, 0, 0], [0xff; 4], [0xff; 4]].concat();
    block(&mut out, SECTION, &version);
    let mut links: Vec<&str> = Vec::new();
    for packet in packets {
        let index = links.iter().position(|link| *link == packet.link).unwrap_or_else(|| {
            let mut body = vec![1, 0, 0, 0, 0, 0, 0, 0];
            option(&mut body, NAME, packet.link.as_bytes());
            option(&mut body, RESOLUTION, &[9]);
            option(&mut body, 0, &[]);
            block(&mut out, INTERFACE, &body);
            links.push(&packet.link);
            links.len() - 1
        });
        block(&mut out, PACKET, &packet_body(packet, index as u32));
    }
    out
}

fn packet_body(packet: &Packet, link: u32) -> Vec<u8> {
    let (high, low) = ((packet.nanoseconds >> 32) as u32, packet.nanoseconds as u32);
    let mut body = Vec::with_capacity(packet.bytes.len() + 40);
    for word in [link, high, low, packet.bytes.len() as u32, packet.length] {
        body.extend(word.to_le_bytes());
    }
    body.extend(&packet.bytes);
    pad(&mut body);
    option(&mut body, FLAGS, &(if packet.outgoing { 2_u32 } else { 1 }).to_le_bytes());
    option(&mut body, 0, &[]);
    body
}

/// Reads what [`write`] wrote.
pub(crate) fn read(mut file: &[u8]) -> Result<Vec<Packet>, LabError> {
    let (mut links, mut packets): (Vec<String>, Vec<Packet>) = (Vec::new(), Vec::new());
    while !file.is_empty() {
        let (kind, length) = (word(file, 0)?, word(file, 4)? as usize);
        let (block, rest) = file.split_at_checked(length).ok_or(LabError::Capture("a block is cut"))?;
        let body = block.get(8..length.saturating_sub(4)).ok_or(LabError::Capture("a block is too short"))?;
        match kind {
            SECTION if word(body, 0)? == MAGIC => {}
            INTERFACE => links.push(interface(body)?),
            PACKET => packets.push(packet(body, &links)?),
            _ => return Err(LabError::Capture("a block of another kind")),
        }
        file = rest;
    }
    Ok(packets)
}

fn interface(body: &[u8]) -> Result<String, LabError> {
    let length = usize::from((word(body, 8)? >> 16) as u16);
    let name = body.get(12..12 + length).ok_or(LabError::Capture("an interface without a name"))?;
    Ok(String::from_utf8_lossy(name).into_owned())
}

fn packet(body: &[u8], links: &[String]) -> Result<Packet, LabError> {
    let link = links.get(word(body, 0)? as usize).ok_or(LabError::Capture("a packet without an interface"))?;
    let (nanoseconds, captured) =
        (u64::from(word(body, 4)?) << 32 | u64::from(word(body, 8)?), word(body, 12)? as usize);
    let bytes = body.get(20..20 + captured).ok_or(LabError::Capture("a packet is cut"))?.to_vec();
    let outgoing = word(body, 20 + captured.next_multiple_of(4) + 4)? == 2;
    Ok(Packet { link: link.clone(), outgoing, nanoseconds, length: word(body, 16)?, bytes })
}

fn word(bytes: &[u8], at: usize) -> Result<u32, LabError> {
    let four = bytes.get(at..).and_then(<[u8]>::first_chunk).ok_or(LabError::Capture("the file is cut"))?;
    Ok(u32::from_le_bytes(*four))
}

fn block(out: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let length = (body.len() as u32 + 12).to_le_bytes();
    out.extend(kind.to_le_bytes());
    out.extend(length);
    out.extend(body);
    out.extend(length);
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    body.extend(value);
    pad(body);
}

fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let one = |link: &str, bytes: &[u8]| Packet {
            link: link.into(),
            outgoing: link == "host/lo",
            nanoseconds: 1_700_000_000_123_456_789,
            length: 1500,
            bytes: bytes.to_vec(),
        };
        let packets = [one("host/eth0", b"abc"), one("host/lo", b"abcd"), one("host/eth0", b"")];
        assert_eq!(read(&write(&packets)).unwrap(), packets);
    }

    #[test]
    fn a_cut_file_is_refused() {
        let packet = Packet { link: "l".into(), outgoing: false, nanoseconds: 1, length: 3, bytes: b"abc".to_vec() };
        let whole = write(&[packet]);
        assert!(read(&whole[..whole.len() - 1]).is_err());
    }
}
