//! A request of HTTP/2 in the form of HTTP/1.1, so that one parser decides for both
//! what a target, a host and a length may be, and handlers know one form.
//!
//! RFC 9113 8.3 and 8.2 say what corresponds to what.

use http::{Method, Request, Uri, header};

/// The head of `request` as HTTP/1.1 writes it.
pub(super) fn write<B>(request: &Request<B>) -> Vec<u8> {
    let mut head = Vec::with_capacity(512);
    head.extend_from_slice(request.method().as_str().as_bytes());
    head.push(b' ');
    head.extend_from_slice(target(request.method(), request.uri()).as_bytes());
    head.extend_from_slice(b" HTTP/1.1\r\n");
    write_hosts(request, &mut head);
    write_cookies(request, &mut head);
    for (name, value) in request.headers() {
        if name != header::HOST && name != header::COOKIE {
            write_field(&mut head, name.as_str(), value.as_bytes());
        }
    }
    head.extend_from_slice(b"\r\n");
    head
}

fn target<'a>(method: &Method, uri: &'a Uri) -> &'a str {
    match (method, uri.path_and_query(), uri.authority()) {
        (&Method::CONNECT, _, Some(authority)) => authority.as_str(),
        (_, Some(target), _) => target.as_str(),
        (_, None, _) => "/",
    }
}

/// RFC 9113 8.3.1: `:authority` stands for Host, and a server "SHOULD treat a request
/// as malformed" that has a Host with another value: it is written as a second one.
fn write_hosts<B>(request: &Request<B>, head: &mut Vec<u8>) {
    let authority = request
        .uri()
        .authority()
        .map(|name| name.as_str().as_bytes());
    if let Some(authority) = authority {
        write_field(head, "host", authority);
    }
    for host in request.headers().get_all(header::HOST) {
        let is_same = |name: &[u8]| name.eq_ignore_ascii_case(host.as_bytes());
        if !authority.is_some_and(is_same) {
            write_field(head, "host", host.as_bytes());
        }
    }
}

/// RFC 9113 8.2.3: cookies may come one by one, and "MUST be concatenated" for whoever
/// knows no HTTP/2.
fn write_cookies<B>(request: &Request<B>, head: &mut Vec<u8>) {
    let mut cookies = request.headers().get_all(header::COOKIE).iter().peekable();
    if cookies.peek().is_none() {
        return;
    }
    let cookies: Vec<&[u8]> = cookies.map(|cookie| cookie.as_bytes()).collect();
    write_field(head, "cookie", &cookies.join(b"; ".as_slice()));
}

fn write_field(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value);
    head.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use http::Request;

    #[test]
    fn it_is_what_http_1_1_would_have_sent() {
        let check = |method: &str, uri: &str, fields: &[(&str, &str)], expected: &str| {
            let mut request = Request::builder().method(method).uri(uri);
            for (name, value) in fields {
                request = request.header(*name, *value);
            }
            let head = super::write(&request.body(()).unwrap());
            assert_eq!(String::from_utf8(head).unwrap(), expected);
        };
        check(
            "GET",
            "https://a.example:8443/b?c",
            &[("accept", "*/*")],
            "GET /b?c HTTP/1.1\r\nhost: a.example:8443\r\naccept: */*\r\n\r\n",
        );
        check(
            "GET",
            "https://a.example",
            &[("host", "A.example"), ("cookie", "a=1"), ("cookie", "b=2")],
            "GET / HTTP/1.1\r\nhost: a.example\r\ncookie: a=1; b=2\r\n\r\n",
        );
        check(
            "GET",
            "https://a/",
            &[("host", "b")],
            "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        );
        check(
            "GET",
            "/",
            &[("host", "b")],
            "GET / HTTP/1.1\r\nhost: b\r\n\r\n",
        );
        check("OPTIONS", "*", &[], "OPTIONS * HTTP/1.1\r\n\r\n");
        check(
            "CONNECT",
            "a:80",
            &[],
            "CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n",
        );
    }
}
