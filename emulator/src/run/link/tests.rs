//! Addresses as people write them, and what comes of them.

use super::*;

#[test]
fn addresses_are_read_and_written_alike() {
    for text in [
        "unix",
        "tcp://127.0.0.1:0",
        "tcp://[::1]:7000",
        "tcp://emulator.example:7000",
        "nats://127.0.0.1:4222",
    ] {
        let address: Address = text.parse().unwrap();
        assert_eq!(address.to_string(), text);
    }
    for text in [
        "",
        "unix://",
        "tcp://",
        "tcp://127.0.0.1",
        "tcp://:7000",
        "tcp://::1:7000",
        "tcp://127.0.0.1:70000",
        "nats://user:secret@host:4222",
        "http://127.0.0.1:1",
        "127.0.0.1:7000",
        "tcp://a b:1",
    ] {
        let error = text.parse::<Address>().unwrap_err().to_string();
        assert!(error.contains("tcp://HOST:PORT") && error.contains(text), "{error}");
    }
}

#[test]
fn an_address_of_all_interfaces_is_reached_at_loopback_from_here() {
    let rows = [
        ("0.0.0.0:7000", "tcp://127.0.0.1:7000", "tcp://THIS-MACHINE:7000"),
        ("[::]:7000", "tcp://[::1]:7000", "tcp://THIS-MACHINE:7000"),
        ("10.0.0.5:7000", "tcp://10.0.0.5:7000", "tcp://10.0.0.5:7000"),
    ];
    for (bound, here, elsewhere) in rows {
        let place = Place::Tcp(bound.to_owned());
        assert_eq!(place.seen_here().to_string(), here);
        assert_eq!(place.seen_elsewhere().to_string(), elsewhere);
    }
}

#[test]
fn a_build_without_a_broker_says_so_before_anything_begins() {
    for (text, fine) in [
        ("unix", true),
        ("tcp://127.0.0.1:0", true),
        ("nats://127.0.0.1:4222", cfg!(feature = "broker")),
    ] {
        let told = text.parse::<Address>().unwrap().check_build();
        assert_eq!(told.is_ok(), fine, "{text}: {told:?}");
        if let Err((what, hint)) = told {
            assert!(what.contains(text) && what.contains("--features broker"), "{what}");
            assert!(hint.contains("emulator/broker"), "{hint}");
        }
    }
}
