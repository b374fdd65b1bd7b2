//! `--healthy`: asks the worker that runs with the same configuration whether it is ready.
//!
//! For health checks in images that hold nothing but the worker, no shell and no HTTP client.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

/// How long each of connecting, asking and answering may take.
const LIMIT: Duration = Duration::from_secs(2);
/// An answer is read up to this many bytes.
const ANSWER: u64 = 16 * 1024;

/// What `/readyz` of the worker that listens on `listen` answers: `Ok` with its body if that is 200, `Err` with its
/// body or with why there is none.
pub(crate) fn ask(listen: SocketAddr) -> Result<String, String> {
    let address = reachable(listen);
    let answer = answer(address).map_err(|error| format!("no answer from {address}: {error}\n"))?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or_else(|| format!("{address} does not speak HTTP\n"))?;
    // `HTTP/1.1 200 OK`
    match head.split_whitespace().nth(1) {
        Some("200") => Ok(body.to_owned()),
        _ => Err(body.to_owned()),
    }
}

/// Who listens on every address is asked on the loopback one.
fn reachable(mut listen: SocketAddr) -> SocketAddr {
    match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => listen.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => listen.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    listen
}

fn answer(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    stream.write_all(
        format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").as_bytes(),
    )?;
    let mut answer = String::new();
    stream.take(ANSWER).read_to_string(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    #[test]
    fn listening_on_every_address_is_asked_on_loopback() {
        for (listen, asked) in [
            ("0.0.0.0:9190", "127.0.0.1:9190"),
            ("[::]:9190", "[::1]:9190"),
            ("10.1.2.3:80", "10.1.2.3:80"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()), asked.parse().unwrap());
        }
    }

    #[test]
    fn answers() {
        let check = |said: &'static str, expected: Result<&str, &str>| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let server = thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut asked = [0; 512];
                let length = stream.read(&mut asked).unwrap();
                assert!(asked[..length].starts_with(b"GET /readyz HTTP/1.1\r\n"));
                stream.write_all(said.as_bytes()).unwrap();
            });
            let found = ask(address);
            server.join().unwrap();
            match expected {
                Ok(body) => assert_eq!(found.as_deref(), Ok(body), "{said}"),
                Err(part) => assert!(found.as_ref().unwrap_err().contains(part), "{found:?}"),
            }
        };
        check(
            "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nready\n",
            Ok("ready\n"),
        );
        check(
            "HTTP/1.1 503 Service Unavailable\r\n\r\nbus: gone\n",
            Err("bus: gone"),
        );
        check("", Err("does not speak HTTP"));
        check("SSH-2.0\r\n", Err("does not speak HTTP"));
    }

    #[test]
    fn nobody_there_is_said() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(ask(free).unwrap_err().contains("no answer from"));
    }
}
