//! What the servers say: a status and at most one fixed short text. Nothing of a request ever comes back.

/// Every answer of both servers, the reload stream aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// 204: accepted.
    Accepted,
    /// 400: no HTTP that we read.
    BadRequest,
    /// 400: the body is no JSON.
    NotJson,
    /// 400: longer than an event's value may be.
    ValueTooLong,
    /// 400: the event's pattern does not match.
    ValueRefused,
    /// 401: no token that is alive.
    Unauthorized,
    /// 403: `Host` is not ours.
    ForeignHost,
    /// 403: a web page asks.
    ForeignOrigin,
    /// 404: no such path for this client.
    NotFound,
    /// 405: the path is asked with `POST`.
    NotPost,
    /// 405: the path is asked with `GET`.
    NotGet,
    /// 408: too slow.
    TooSlow,
    /// 413: the body is too long.
    BodyTooLarge,
    /// 414: the target is too long.
    UriTooLong,
    /// 415: no plain JSON.
    NotJsonType,
    /// 422: JSON, but not `{"value": "…"}`.
    WrongShape,
    /// 429: too many bad tokens.
    TooManyBadTokens,
    /// 431: the head is too long.
    HeadTooLarge,
    /// 500: the state file cannot be written.
    NotSaved,
    /// 503: the session ends.
    Ending,
    /// 503: too many connections.
    Busy,
}

impl Answer {
    /// The status line's number, its phrase, and the body.
    fn words(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::Accepted => (204, "No Content", ""),
            Self::BadRequest => (400, "Bad Request", "bad request\n"),
            Self::NotJson => (400, "Bad Request", "the body is not one JSON value\n"),
            Self::ValueTooLong => (400, "Bad Request", "the value is longer than 8 KiB\n"),
            Self::ValueRefused => (400, "Bad Request", "the value does not match the event's pattern\n"),
            Self::Unauthorized => (401, "Unauthorized", "a live token is needed\n"),
            Self::ForeignHost => (403, "Forbidden", "this host name is not served\n"),
            Self::ForeignOrigin => (403, "Forbidden", "this origin is not served\n"),
            Self::NotFound => (404, "Not Found", "not found\n"),
            Self::NotPost | Self::NotGet => (405, "Method Not Allowed", "method not allowed\n"),
            Self::TooSlow => (408, "Request Timeout", "too slow\n"),
            Self::BodyTooLarge => (413, "Content Too Large", "the body is longer than 64 KiB\n"),
            Self::UriTooLong => (414, "URI Too Long", "the target is too long\n"),
            Self::NotJsonType => (415, "Unsupported Media Type", "plain application/json is needed\n"),
            Self::WrongShape => (422, "Unprocessable Content", "exactly {\"value\": \"text\"} is needed\n"),
            Self::TooManyBadTokens => (429, "Too Many Requests", "too many bad tokens\n"),
            Self::HeadTooLarge => (431, "Request Header Fields Too Large", "the head is too large\n"),
            Self::NotSaved => (500, "Internal Server Error", "the value could not be saved; try again\n"),
            Self::Ending => (503, "Service Unavailable", "the session is ending\n"),
            Self::Busy => (503, "Service Unavailable", "too many connections\n"),
        }
    }

    /// The number of the status.
    pub(super) fn status(self) -> u16 {
        self.words().0
    }

    /// What the audit log and the warning say of a refusal: nothing of the request is in it.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::BadRequest => "malformed request",
            Self::NotJson => "body is not JSON",
            Self::ValueTooLong => "value too long",
            Self::ValueRefused => "value does not match the pattern",
            Self::Unauthorized => "no live token",
            Self::ForeignHost => "foreign Host",
            Self::ForeignOrigin => "asked by a web page",
            Self::NotFound => "no such event for this client",
            Self::NotPost | Self::NotGet => "wrong method",
            Self::TooSlow => "too slow",
            Self::BodyTooLarge => "body too long",
            Self::UriTooLong => "target too long",
            Self::NotJsonType => "wrong content type",
            Self::WrongShape => "wrong JSON shape",
            Self::TooManyBadTokens => "too many bad tokens",
            Self::HeadTooLarge => "head too large",
            Self::NotSaved => "state not saved",
            Self::Ending => "session ending",
            Self::Busy => "too many connections",
        }
    }

    /// Whether the connection may go on once the whole request was read: nothing about it was malformed, and whoever
    /// asks has a live token.
    pub(super) fn may_keep_alive(self) -> bool {
        matches!(self, Self::Accepted | Self::NotFound | Self::NotPost | Self::WrongShape | Self::NotSaved)
    }

    /// Appends the answer. `is_head`: without its body. `closes`: with `Connection: close`.
    pub(super) fn write(self, is_head: bool, closes: bool, out: &mut Vec<u8>) {
        let (status, phrase, body) = self.words();
        let mut add = |text: &str| out.extend_from_slice(text.as_bytes());
        add("HTTP/1.1 ");
        add(&status.to_string());
        add(" ");
        add(phrase);
        add("\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
        match self {
            Self::Unauthorized => add("WWW-Authenticate: Bearer\r\n"),
            Self::NotPost => add("Allow: POST\r\n"),
            Self::NotGet => add("Allow: GET\r\n"),
            _ => {}
        }
        if closes {
            add("Connection: close\r\n");
        }
        if self == Self::Accepted {
            return add("\r\n");
        }
        add("Content-Type: text/plain; charset=utf-8\r\nContent-Length: ");
        add(&body.len().to_string());
        add("\r\n\r\n");
        if !is_head {
            add(body);
        }
    }
}
