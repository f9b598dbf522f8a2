//! False hosts against a chain that waits, over every link that needs no service: each is refused with a reason and
//! counted, and the true hosts come in all the same.

use super::*;
use crate::run::link::framed;
use std::io::Write;
use std::net::TcpStream as StdTcp;
use tokio::net::TcpStream;

const TOKEN: &str = "the token of this run";

fn awaited(own: u32, outside: u32, wait_ms_max: u64) -> Awaited {
    let pass = Pass { run: "run".to_owned(), token: TOKEN.to_owned() };
    Awaited { pass, own, outside, wait_ms_max }
}

fn hello(host: Option<u32>) -> Hello {
    let (run, token) = ("run".to_owned(), TOKEN.to_owned());
    Hello { version: WIRE_VERSION, build: BUILD.to_owned(), run, host, token, pid: 7 }
}

async fn at_loopback(awaited: &Awaited) -> (Listener, Place) {
    let place = Place::Tcp("127.0.0.1:0".to_owned());
    let listener = Listener::open(&place, &awaited.pass).await.expect("a port is free");
    let place = listener.place().clone();
    (listener, place)
}

/// Comes as a host and hears what the chain says; nothing if it says nothing before it is gone.
async fn come(place: &Place, hello: Hello) -> (Wire, Option<String>) {
    let pass = Pass { run: hello.run.clone(), token: hello.token.clone() };
    let mut wire = Wire::connect(place, &pass).await.expect("the chain listens");
    wire.send(&FromHost::Hello(hello)).await.expect("the chain reads");
    let wait = Duration::from_millis(300);
    let heard = tokio::time::timeout(wait, wire.receive::<ToHost>()).await;
    let why = match heard {
        Ok(Ok(ToHost::Refused(why))) => Some(why),
        Ok(Ok(other)) => panic!("nobody was welcomed: {other:?}"),
        Ok(Err(_)) | Err(_) => None,
    };
    (wire, why)
}

fn run<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("there are sockets").block_on(what)
}

#[test]
fn a_false_host_is_told_why_and_the_true_ones_come_in() {
    run(async {
        let awaited = awaited(1, 1, 60_000);
        let (listener, place) = at_loopback(&awaited).await;
        let mut refused = Vec::new();
        let mut note = |why: &str| refused.push(why.to_owned());
        let chain = greet(&awaited, listener, &mut note);
        let rows = [
            (Hello { build: "0.0.1".to_owned(), ..hello(Some(0)) }, "it is another build of btemu"),
            (
                Hello { version: WIRE_VERSION + 1, ..hello(Some(0)) },
                "it speaks another version of the wire",
            ),
            (
                Hello { token: "the token of that run".to_owned(), ..hello(Some(0)) },
                "its token is wrong",
            ),
            (
                Hello { token: String::new(), run: "other".to_owned(), ..hello(None) },
                "its token is wrong",
            ),
            (Hello { run: "other".to_owned(), ..hello(None) }, "it belongs to another run"),
            (hello(Some(1)), "it is one too many"),
        ];
        let expected = rows.iter().map(|(_, why)| (*why).to_owned()).collect::<Vec<_>>();
        let hosts = async {
            for (hello, expected) in rows {
                let (_, why) = come(&place, hello).await;
                assert_eq!(why.as_deref(), Some(expected));
            }
            let (own, why) = come(&place, hello(Some(0))).await;
            assert_eq!(why, None);
            for (again, expected) in
                [(Some(0), "its place is taken"), (Some(9), "it is one too many")]
            {
                assert_eq!(come(&place, hello(again)).await.1.as_deref(), Some(expected));
            }
            (own, come(&place, hello(None)).await)
        };
        let (guests, (own, (outside, why))) = tokio::join!(chain, hosts);
        assert_eq!(why, None);
        let guests = guests.expect("both came");
        let pids: Vec<u32> = guests.iter().map(|guest| guest.pid).collect();
        assert_eq!(pids, [7, 0], "of another machine's processes this one knows nothing");
        let last = ["its place is taken", "it is one too many"].map(str::to_owned);
        assert_eq!(refused, [expected, last.to_vec()].concat());
        drop((own, outside));
    });
}

#[test]
fn whatever_a_stranger_sends_the_host_behind_it_comes_in() {
    run(async {
        let awaited = awaited(0, 1, 60_000);
        let (listener, place) = at_loopback(&awaited).await;
        let mut refused = Vec::new();
        let mut note = |why: &str| refused.push(why.to_owned());
        let chain = greet(&awaited, listener, &mut note);
        let Place::Tcp(address) = place.clone() else { panic!("it is TCP") };
        let sends = |bytes: &[u8]| {
            let mut socket = StdTcp::connect(&address).expect("the chain listens");
            socket.write_all(bytes).expect("there is room");
            socket.set_nonblocking(true).expect("it is a socket");
            Wire::new(TcpStream::from_std(socket).expect("it is a socket"))
        };
        let hosts = async {
            // More silent ones than may greet at a time would hold up the rest for a while, not for good.
            let silent: Vec<Wire> = (0..GREETINGS_MAX - 4).map(|_| sends(b"")).collect();
            let stops = sends(&framed(0, 9, &[1, 2]));
            let mut answers = Vec::new();
            for bytes in [
                &b"GET / HTTP/1.1\r\n\r\n"[..],
                &framed(0, 3, &[255; 3])[..],
                &framed(0, 1, &[4])[..],
            ] {
                let mut wire = sends(bytes);
                answers.push(wire.receive::<ToHost>().await);
            }
            let (wire, why) = come(&place, hello(None)).await;
            assert_eq!(why, None, "nobody is in its way");
            drop((silent, stops));
            (wire, answers)
        };
        let (guests, (_wire, answers)) = tokio::join!(chain, hosts);
        assert_eq!(guests.expect("it came").len(), 1);
        let told: Vec<String> = answers
            .into_iter()
            .map(|answer| match answer {
                Ok(ToHost::Refused(why)) => why,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(told[0], "its greeting is longer than 4096 bytes");
        assert!(
            told[1..].iter().all(|why| why.starts_with("its greeting is not one of")),
            "{told:?}"
        );
        assert_eq!(refused, told);
    });
}

#[test]
fn who_says_nothing_is_sent_away_in_the_end() {
    run(async {
        let awaited = awaited(0, 1, GREETING_WAIT_MS_MAX + 2_000);
        let (listener, place) = at_loopback(&awaited).await;
        let mut refused = Vec::new();
        let mut note = |why: &str| refused.push(why.to_owned());
        let chain = greet(&awaited, listener, &mut note);
        let stranger = async {
            let pass = Pass { run: String::new(), token: String::new() };
            let mut wire = Wire::connect(&place, &pass).await.expect("the chain listens");
            wire.receive::<ToHost>().await
        };
        let (missing, told) = tokio::join!(chain, stranger);
        let why = format!("it did not greet within {GREETING_WAIT_MS_MAX} ms");
        assert!(matches!(told, Ok(ToHost::Refused(told)) if told == why));
        assert_eq!(refused, [why]);
        let missing = missing.expect_err("nobody came").to_string();
        assert!(missing.contains("0 of 1 hosts from outside joined"), "{missing}");
    });
}

#[test]
fn the_chain_tells_which_hosts_are_missing() {
    run(async {
        let awaited = awaited(2, 1, 300);
        let (listener, place) = at_loopback(&awaited).await;
        let mut note = |why: &str| panic!("nobody is refused: {why}");
        let chain = greet(&awaited, listener, &mut note);
        let (missing, _own) = tokio::join!(chain, come(&place, hello(Some(1))));
        let Err(GreetError::Missing(missing)) = missing else { panic!("two are missing") };
        assert_eq!((missing.own, missing.outside, missing.is_of_outside()), (1, 0, false));
    });
}
