//! The rows of the table: what one route refuses, of each kind, or why it refuses nothing of it.

use std::borrow::Cow;

use client_api::endpoint::Route;

/// One route, at each of its versions.
pub(super) struct Row {
    /// Its method and path as the inventory has them; below `/_matrix/client/v3/` where the path
    /// does not begin with a slash.
    pub(super) route: &'static str,
    /// A request that has nothing to be refused for: each case changes a part of it.
    pub(super) good: Request,
    /// Whether one who has no token is refused, and one whose token is unknown.
    pub(super) token: Token,
    /// A part that must be there is absent.
    pub(super) missing: Kind,
    /// A part has the wrong type, or a value that cannot be.
    pub(super) mistyped: Kind,
    /// The asker is not in the room, or not the one whose thing it is.
    pub(super) not_member: Kind,
    /// The asker is in the room and may not do this.
    pub(super) no_power: Kind,
    /// What the request names does not exist.
    pub(super) unknown: Kind,
    /// The body, or what would be made of it, is too large.
    pub(super) too_large: Kind,
}

/// Whether a route asks for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// It does: no token and a wrong one are refused.
    Needed,
    /// Anybody may ask; who has a token is answered by it, and a wrong one is refused.
    Optional,
    /// Anybody may ask.
    NotNeeded,
}

/// One kind of refusal at one route.
pub(super) enum Kind {
    /// It is met in these cases.
    Refused(Vec<Case>),
    /// It is never met.
    Never(Why),
}

/// Why a route refuses nothing of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// No part of the request has to be there but its path.
    NothingRequired,
    /// Neither query nor body has parts.
    HasNoParts,
    /// The body may be any object.
    AnyObject,
    /// Its parts are texts, and any text will do.
    AnyText,
    /// The body is a file.
    TakesAFile,
    /// It is a GET: a body is not read.
    ReadsNoBody,
    /// The route concerns no room.
    NotOfARoom,
    /// One asks for oneself, and nobody else is named.
    OnesOwn,
    /// Who is not in the room may ask as well.
    ForOutsiders,
    /// Being there is enough.
    NeedsNoPower,
    /// Nothing is named that could be unknown.
    NamesNothing,
    /// What is named is made if it does not exist.
    MakesWhatItNames,
    /// What does not exist is answered like what is empty, or is gone already.
    AnswersEmpty,
    /// Whether it exists is what the answer tells.
    ToldAsSuch,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Made the room.
    Owner,
    /// Is in the room, with the power of everybody.
    Member,
    /// Has an account, and is not in the room.
    Stranger,
    /// Was banned from the room.
    Banned,
    /// Administers the server, and is not in the room.
    Administrator,
    /// An application service, whose user is not in the room.
    Service,
}

/// A request, or what a case changes of one.
#[derive(Clone, Default)]
pub(super) struct Request {
    pub(super) who: Option<Who>,
    pub(super) parameters: Vec<(&'static str, &'static str)>,
    pub(super) query: Option<&'static str>,
    pub(super) body: Option<Body>,
}

/// What a body is.
#[derive(Clone)]
pub(super) enum Body {
    /// Text; `{name}` stands for what the stage has under that name.
    Text(Cow<'static, str>),
    /// The good body without a member, or with another JSON text for it; `a/b` is `b` in `a`.
    Member(&'static str, Option<&'static str>),
    /// The good body with a member of another type.
    Mistyped(&'static str),
    /// So many spaces.
    Spaces(usize),
}

/// A request that is refused, and how.
pub(super) struct Case {
    pub(super) request: Request,
    pub(super) status: u16,
    pub(super) errcode: &'static str,
    /// A part of the sentence.
    pub(super) sentence: Cow<'static, str>,
}

impl Request {
    pub(super) fn by(mut self, who: Who) -> Self {
        self.who = Some(who);
        self
    }

    /// Sets a parameter of the path.
    pub(super) fn with(mut self, parameter: &'static str, value: &'static str) -> Self {
        self.parameters.push((parameter, value));
        self
    }

    pub(super) fn query(mut self, query: &'static str) -> Self {
        self.query = Some(query);
        self
    }

    pub(super) fn body(mut self, body: impl Into<Cow<'static, str>>) -> Self {
        self.body = Some(Body::Text(body.into()));
        self
    }

    /// This is refused.
    pub(super) fn gets(
        self,
        status: u16,
        errcode: &'static str,
        sentence: impl Into<Cow<'static, str>>,
    ) -> Case {
        Case {
            request: self,
            status,
            errcode,
            sentence: sentence.into(),
        }
    }
}

/// By somebody.
pub(super) fn by(who: Who) -> Request {
    Request::default().by(who)
}

/// With a parameter of the path that is another.
pub(super) fn with(parameter: &'static str, value: &'static str) -> Request {
    Request::default().with(parameter, value)
}

/// With another query.
pub(super) fn query(query: &'static str) -> Request {
    Request::default().query(query)
}

/// With another body.
pub(super) fn body(body: impl Into<Cow<'static, str>>) -> Request {
    Request::default().body(body)
}

/// With another JSON text for one member of the body, or without it.
pub(super) fn with_body(member: &'static str, json: Option<&'static str>) -> Request {
    Request {
        body: Some(Body::Member(member, json)),
        ..Request::default()
    }
}

/// The body lacks a member that must be there.
pub(super) fn lacks(member: &'static str) -> Case {
    let sentence = match member.rsplit_once('/') {
        Some((parent, name)) => format!("{}: missing field `{name}`", parent.replace('/', ".")),
        None => format!("missing field `{member}`"),
    };
    with_body(member, None).gets(400, "M_BAD_JSON", sentence)
}

/// A member of the body has another type.
pub(super) fn mistyped(member: &'static str) -> Case {
    let request = Request {
        body: Some(Body::Mistyped(member)),
        ..Request::default()
    };
    let sentence = format!("{}: ", member.replace('/', "."));
    request.gets(400, "M_BAD_JSON", sentence)
}

/// The query lacks a parameter that must be there; `rest` is what is left of it.
pub(super) fn lacks_parameter(name: &'static str, rest: &'static str) -> Case {
    let sentence = format!("query parameter `{name}` is missing");
    query(rest).gets(400, "M_MISSING_PARAM", sentence)
}

/// A parameter of the query has a value that cannot be.
pub(super) fn bad_parameter(name: &'static str, given: &'static str) -> Case {
    query(given).gets(400, "M_INVALID_PARAM", name)
}

/// A body of more than so many bytes is too large.
pub(super) fn limit(bytes: usize) -> Case {
    let request = Request {
        body: Some(Body::Spaces(bytes + 1)),
        ..Request::default()
    };
    let sentence = format!("the body is larger than {bytes} bytes");
    request.gets(413, "M_TOO_LARGE", sentence)
}

/// Somebody who is not in the room, and a room that does not exist, get the same answer: nobody
/// learns which rooms there are.
pub(super) fn outsider() -> Case {
    by(Who::Stranger).gets(403, "M_FORBIDDEN", "you are not in this room")
}

/// See [`outsider`].
pub(super) fn no_room() -> Case {
    with("room_id", "!nowhere:localhost").gets(403, "M_FORBIDDEN", "you are not in this room")
}

/// Another's account is none of the asker's business.
pub(super) fn another() -> Case {
    with("user_id", "{other_id}").gets(403, "M_FORBIDDEN", "one's own account only")
}

/// These cases.
pub(super) fn refused<const N: usize>(cases: [Case; N]) -> Kind {
    Kind::Refused(cases.into())
}

/// None.
pub(super) fn never(why: Why) -> Kind {
    Kind::Never(why)
}

/// A GET takes none.
pub(super) fn reads_no_body() -> Kind {
    never(Why::ReadsNoBody)
}

/// A route that takes neither query nor body, and names nobody and nothing.
pub(super) fn bare(route: &'static str, token: Token) -> Row {
    Row {
        route,
        good: Request::default(),
        token,
        missing: never(Why::HasNoParts),
        mistyped: never(Why::HasNoParts),
        not_member: never(Why::NotOfARoom),
        no_power: never(Why::NotOfARoom),
        unknown: never(Why::NamesNothing),
        too_large: reads_no_body(),
    }
}

/// The same for one that is no GET: a body has no meaning there, and is limited still.
pub(super) fn bare_act(route: &'static str, token: Token) -> Row {
    Row {
        too_large: refused([limit(super::MIB)]),
        ..bare(route, token)
    }
}

impl Row {
    /// Whether a case changes nothing of the good request: everybody is refused.
    pub(super) fn refuses_everybody(&self) -> bool {
        let changes_nothing = |case: &Case| {
            let Request {
                who,
                parameters,
                query,
                body,
            } = &case.request;
            who.is_none() && parameters.is_empty() && query.is_none() && body.is_none()
        };
        self.kinds().iter().any(|kind| match kind {
            Kind::Refused(cases) => cases.iter().any(changes_nothing),
            Kind::Never(_) => false,
        })
    }

    /// The kinds of refusals that are asked one by one.
    pub(super) fn kinds(&self) -> [&Kind; 6] {
        [
            &self.missing,
            &self.mistyped,
            &self.not_member,
            &self.no_power,
            &self.unknown,
            &self.too_large,
        ]
    }

    /// Whether a route of the inventory is this one, at any of its versions.
    pub(super) fn is_of(&self, route: &Route) -> bool {
        let (method, path) = self.route.split_once(' ').expect("a method and a path");
        let path = match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("/_matrix/client/v3/{path}"),
        };
        route.method == method && route.path.replacen("/r0/", "/v3/", 1) == path
    }

    /// Whether refusals of this route are written into the record: guesses of secrets, and what
    /// only administrators may do.
    pub(super) fn is_recorded(&self) -> bool {
        const RECORDED: [&str; 2] = ["POST login", "POST /_synapse/admin/v1/register"];
        let is_administration = self.route.contains("admin/") && self.route.contains("{user_id}");
        is_administration || RECORDED.contains(&self.route)
    }

    /// Where the row says what its route belies.
    pub(super) fn contradictions(&self, inventory: &[Route]) -> Vec<String> {
        let mut faults = Vec::new();
        let mut check = |holds: bool, what: &str| {
            if !holds {
                faults.push(format!("{}: {what}", self.route));
            }
        };
        let routes: Vec<&Route> = inventory.iter().filter(|route| self.is_of(route)).collect();
        check(!routes.is_empty(), "there is no such route");
        let needed = match self.token {
            Token::Needed => "caller",
            Token::Optional => "caller if any",
            Token::NotNeeded => "anyone",
        };
        check(
            routes.iter().all(|route| route.auth == needed),
            "it authenticates in another way",
        );
        let of_a_room = self.route.contains("rooms/{room_id}");
        for kind in [&self.not_member, &self.no_power] {
            let outside = matches!(kind, Kind::Never(Why::NotOfARoom));
            check(!(outside && of_a_room), "it is of a room");
        }
        let of_an_account = self.route.contains("user/{user_id}");
        check(
            !of_an_account || matches!(self.not_member, Kind::Refused(_)),
            "it is of one account",
        );
        let names_nothing = matches!(self.unknown, Kind::Never(Why::NamesNothing));
        check(!(names_nothing && of_a_room), "it names a room");
        let has_parts = self.good.query.is_some() || self.good.body.is_some();
        for kind in [&self.missing, &self.mistyped] {
            let no_parts = matches!(kind, Kind::Never(Why::HasNoParts));
            check(!(no_parts && has_parts), "it has parts");
        }
        let reads_no_body = matches!(self.too_large, Kind::Never(Why::ReadsNoBody));
        check(
            reads_no_body == self.route.starts_with("GET "),
            "a GET reads no body, and all others do",
        );
        let refuses = |kind: &&Kind| matches!(kind, Kind::Refused(cases) if cases.is_empty());
        check(
            !self.kinds().iter().any(refuses),
            "a kind without cases is never met",
        );
        faults
    }
}
