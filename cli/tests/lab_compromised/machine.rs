//! Which registers does a system call take on this processor?

pub type Registers = libc::user_regs_struct;

#[cfg(target_arch = "x86_64")]
mod registers {
    use super::Registers;

    /// `syscall`.
    pub const CALL: &[u8] = &[0x0f, 0x05];

    /// As they are when the process is about to call.
    pub fn calling(kept: Registers, entry: u64, number: i64, arguments: [u64; 6]) -> Registers {
        let [rdi, rsi, rdx, r10, r8, r9] = arguments;
        // Without a number in orig_rax the kernel restarts nothing.
        Registers { rip: entry, rax: number.cast_unsigned(), orig_rax: u64::MAX, rdi, rsi, rdx, r10, r8, r9, ..kept }
    }

    pub fn result(after: &Registers) -> i64 {
        after.rax.cast_signed()
    }

    /// As they were. A call that was broken off is made again where the kernel would have done so.
    pub fn going_on(kept: Registers) -> Registers {
        const RESTART: std::ops::RangeInclusive<i64> = -516..=-512;
        if kept.orig_rax != u64::MAX && RESTART.contains(&kept.rax.cast_signed()) {
            return Registers { rip: kept.rip - CALL.len() as u64, rax: kept.orig_rax, orig_rax: u64::MAX, ..kept };
        }
        kept
    }
}

#[cfg(target_arch = "aarch64")]
mod registers {
    use super::Registers;

    /// `svc #0`.
    pub const CALL: &[u8] = &[0x01, 0x00, 0x00, 0xd4];

    /// As they are when the process is about to call.
    pub fn calling(kept: Registers, entry: u64, number: i64, arguments: [u64; 6]) -> Registers {
        let mut registers = Registers { pc: entry, ..kept };
        registers.regs[..6].copy_from_slice(&arguments);
        registers.regs[8] = number.cast_unsigned();
        registers
    }

    pub fn result(after: &Registers) -> i64 {
        after.regs[0].cast_signed()
    }

    /// As they were: this kernel sets them for a restart before it stops.
    pub fn going_on(kept: Registers) -> Registers {
        kept
    }
}

pub use registers::{CALL, calling, going_on, result};
