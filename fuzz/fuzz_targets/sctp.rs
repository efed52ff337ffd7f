#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| signalbox_fuzz::media::sctp(bytes));
