//! Which notifications does a socket take? A classic BPF program in the kernel chooses, so that others cost us nothing.

use libc::sock_filter;

/// Takes a message whose 64 bits at this offset are one of these values, as the machine writes them.
pub(crate) fn one_of(offset: u32, values: &[u64]) -> Vec<sock_filter> {
    let mut program = Vec::with_capacity(values.len() * 5 + 1);
    for value in values {
        let [first, second] = halves(*value);
        program.extend([
            statement(LOAD_WORD, offset),
            unless(first, 3),
            statement(LOAD_WORD, offset + 4),
            unless(second, 1),
            statement(RETURN, u32::MAX),
        ]);
    }
    program.push(statement(RETURN, 0));
    program
}

/// BPF_LD | BPF_W | BPF_ABS: reads a word in network order.
const LOAD_WORD: u16 = 0x20;
/// BPF_JMP | BPF_JEQ | BPF_K.
const IF_EQUAL: u16 = 0x15;
/// BPF_RET | BPF_K: how much of the message is taken.
const RETURN: u16 = 0x06;

/// As the program loads them.
fn halves(value: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = value.to_ne_bytes();
    [u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])]
}

fn statement(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}

/// Goes on where the word is this one, else skips as many statements.
fn unless(word: u32, skip: u8) -> sock_filter {
    sock_filter { code: IF_EQUAL, jt: 0, jf: skip, k: word }
}
