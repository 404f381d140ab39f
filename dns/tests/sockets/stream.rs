//! Are queries in a stream answered in order, and can no client hold more than its share?

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::server::{Server, address_in, query};
use bottle_dns::Limits;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RecordType::A;

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.tcp).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn framed(query: &Message) -> Vec<u8> {
    let bytes = query.to_vec().unwrap();
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes.as_slice()].concat()
}

fn read(stream: &mut TcpStream) -> Message {
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut answer).unwrap();
    Message::from_vec(&answer).unwrap()
}

/// Whether the server has closed the connection, orderly or not.
fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0]) {
        Ok(length) => length == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[test]
fn pipelined_queries_are_answered_in_order() {
    let server = Server::start();
    let mut stream = connect(&server);
    let names = ["api.example.com", "evil.example.org"];
    let queries: Vec<u8> = (0..100).flat_map(|id| framed(&query(id, names[usize::from(id % 2)], A))).collect();
    stream.write_all(&queries).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    for id in 0..100 {
        let answer = read(&mut stream);
        assert_eq!(answer.id, id);
        assert_eq!(address_in(&answer).is_some(), id % 2 == 0);
    }
    assert!(is_closed(&mut stream));
}

#[test]
fn a_query_may_come_byte_by_byte() {
    let server = Server::start();
    let mut stream = connect(&server);
    stream.set_nodelay(true).unwrap();
    for byte in framed(&query(3, "api.example.com", A)) {
        stream.write_all(&[byte]).unwrap();
    }
    assert_eq!(read(&mut stream).id, 3);
}

#[test]
fn a_malformed_query_gets_an_error_and_the_next_an_answer() {
    let server = Server::start();
    let mut stream = connect(&server);
    let mut malformed = framed(&query(1, "api.example.com", A));
    malformed[2 + 5] = 2;
    stream.write_all(&malformed).unwrap();
    assert_eq!(read(&mut stream).response_code, ResponseCode::FormErr);
    stream.write_all(&framed(&query(2, "api.example.com", A))).unwrap();
    assert_eq!(read(&mut stream).id, 2);
}

#[test]
fn what_is_no_query_ends_the_connection() {
    let server = Server::start();
    for junk in [&[0, 0][..], &[0, 3, 1, 2, 3], &[0xff, 0xff, 0, 0], b"\0\x0c\0\x01\x80\0\0\0\0\0\0\0\0\0"] {
        let mut stream = connect(&server);
        stream.write_all(junk).unwrap();
        assert!(is_closed(&mut stream), "{junk:?}");
    }
}

#[test]
fn a_client_that_never_ends_its_query_is_cut() {
    let server = Server::with(Limits { idle: Duration::from_millis(50), ..Limits::default() });
    for start in [&[][..], &[0], &[0, 30], &[0, 30, 1, 2]] {
        let mut stream = connect(&server);
        stream.write_all(start).unwrap();
        assert!(is_closed(&mut stream), "{start:?}");
    }
}

#[test]
fn a_client_that_takes_no_answers_is_cut() {
    let server = Server::with(Limits { idle: Duration::from_millis(50), ..Limits::default() });
    let mut stream = connect(&server);
    let queries: Vec<u8> = (0..1000).flat_map(|id| framed(&query(id, "evil.example.org", A))).collect();
    let failed = (0..10_000).find_map(|_| stream.write_all(&queries).err()).expect("the server reads no more");
    assert!([ErrorKind::BrokenPipe, ErrorKind::ConnectionReset].contains(&failed.kind()), "{failed}");
}

#[test]
fn connections_beyond_the_limit_wait_for_their_turn() {
    let server = Server::with(Limits { connections: 2, ..Limits::default() });
    let mut held: Vec<TcpStream> = (0..2).map(|_| connect(&server)).collect();
    for stream in &mut held {
        stream.write_all(&framed(&query(1, "api.example.com", A))).unwrap();
        assert_eq!(read(stream).id, 1);
    }
    let mut waiting = connect(&server);
    waiting.write_all(&framed(&query(2, "api.example.com", A))).unwrap();
    held[0].write_all(&framed(&query(3, "api.example.com", A))).unwrap();
    assert_eq!(read(&mut held[0]).id, 3);
    waiting.set_nonblocking(true).unwrap();
    assert_eq!(waiting.peek(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    waiting.set_nonblocking(false).unwrap();
    drop(held.pop());
    assert_eq!(read(&mut waiting).id, 2);
}
