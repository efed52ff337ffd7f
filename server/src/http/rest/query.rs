//! Parameters of a request's URL, and the links between the pages of a list.
//!
//! in:  the URL of a request; a page of a list
//! out: typed parameters; `{"links": {"self", "first", "next"?, "prev"?}, "data": […]}`
//!
//! As on the hosted service pages count from 0 by `page_number`, and every page but the first needs the `page_token` of
//! the link that leads to it: the token says where the page is, the number is for people.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use axum::Json;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use url::form_urlencoded::{self, Serializer};

use super::reply::Refusal;
use super::values::moment_in;
use crate::storage::{Page, Slice, Turn};

/// Items of a page when nobody says how many.
const PAGE_SIZE: u32 = 50;

/// Items of the largest page.
const MAX_PAGE_SIZE: u32 = 1000;

/// What every page token begins with.
const TOKEN_PREFIX: &str = "PA";

/// The parameters of a URL. Unknown ones are ignored; of one that comes twice the last counts.
pub(super) struct Query {
    path: String,
    pairs: Vec<(String, String)>,
}

impl Query {
    pub(super) fn of(uri: &Uri) -> Self {
        let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        Self { path: uri.path().to_owned(), pairs: pairs.into_owned().collect() }
    }

    /// An empty parameter is as good as none.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let value = self.pairs.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty())
    }

    pub(super) fn flag(&self, name: &'static str) -> Result<bool, Refusal> {
        match self.text(name) {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(_) => Err(Refusal::invalid(name, format!("{name} must be true or false"))),
        }
    }

    /// A date, or unix seconds.
    pub(super) fn moment(&self, name: &'static str) -> Result<Option<u64>, Refusal> {
        let refuse = || Refusal::invalid(name, format!("{name} must be an RFC 3339 date or unix seconds"));
        self.text(name).map(|text| moment_in(text).ok_or_else(refuse)).transpose()
    }

    /// A number of at least `min`.
    pub(super) fn number<T: FromStr + PartialOrd>(
        &self,
        name: &'static str,
        min: T,
    ) -> Result<Option<T>, Refusal> {
        let refuse = || Refusal::invalid(name, format!("{name} is not a number in its range"));
        let number = self.text(name).map(|text| text.parse().map_err(|_| refuse())).transpose()?;
        number.map(|number| if number >= min { Ok(number) } else { Err(refuse()) }).transpose()
    }

    /// The page that is asked for, of a list whose places are `C`.
    pub(super) fn paging<C: FromStr>(&self) -> Result<Paging<C>, Refusal> {
        let number = self.number("page_number", 0)?.unwrap_or(0);
        let size = self.number("page_size", 1)?.unwrap_or(PAGE_SIZE);
        if size > MAX_PAGE_SIZE {
            let message = format!("page_size must be a whole number from 1 to {MAX_PAGE_SIZE}");
            return Err(Refusal::invalid("page_size", message));
        }
        let turn = match self.text("page_token") {
            Some(token) => turn(token).ok_or_else(|| {
                Refusal::invalid("page_token", "page_token is not from a link of this list")
            })?,
            None if number > 0 => {
                return Err(Refusal::invalid("page_token", "page_token is needed with page_number"));
            }
            None => Turn::First,
        };
        Ok(Paging { number, slice: Slice { turn, limit: size } })
    }
}

/// A page that is asked for, and its number.
pub(super) struct Paging<C> {
    number: u64,
    pub(super) slice: Slice<C>,
}

impl<C: Clone + Display> Paging<C> {
    /// The page with its links. `base` is the server's public address.
    pub(super) fn render<T>(
        &self,
        base: &str,
        query: &Query,
        page: &Page<T>,
        cursor: impl Fn(&T) -> C,
        wire: impl Fn(&T) -> Value,
    ) -> Response {
        // Beyond the last item there is still a way back.
        let here = match &self.slice.turn {
            Turn::First => None,
            Turn::After(cursor) | Turn::Before(cursor) => Some(cursor.clone()),
        };
        let first = page.rows.first().map(&cursor).or_else(|| here.clone());
        let last = page.rows.last().map(&cursor).or(here);
        let link = |number: u64, turn: &Turn<C>| self.link(base, query, number, turn);
        let next = last
            .filter(|_| page.is_followed)
            .map(|last| ("next", link(self.number.saturating_add(1), &Turn::After(last))));
        let prev = first
            .filter(|_| page.is_preceded)
            .map(|first| ("prev", link(self.number.saturating_sub(1), &Turn::Before(first))));
        let own = [("self", link(self.number, &self.slice.turn)), ("first", link(0, &Turn::First))];
        let links: BTreeMap<_, _> = own.into_iter().chain(next).chain(prev).collect();
        let data: Vec<Value> = page.rows.iter().map(wire).collect();
        Json(json!({"links": links, "data": data})).into_response()
    }

    fn link(&self, base: &str, query: &Query, number: u64, turn: &Turn<C>) -> String {
        let filters = query.pairs.iter().filter(|(name, _)| !name.starts_with("page_"));
        let mut parameters = Serializer::new(String::new());
        parameters
            .extend_pairs(filters)
            .append_pair("page_number", &number.to_string())
            .append_pair("page_size", &self.slice.limit.to_string());
        if let Some(token) = token(turn) {
            parameters.append_pair("page_token", &token);
        }
        format!("{base}{}?{}", query.path, parameters.finish())
    }
}

fn token<C: Display>(turn: &Turn<C>) -> Option<String> {
    let text = match turn {
        Turn::First => return None,
        Turn::After(cursor) => format!("a{cursor}"),
        Turn::Before(cursor) => format!("b{cursor}"),
    };
    Some(format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(text)))
}

fn turn<C: FromStr>(token: &str) -> Option<Turn<C>> {
    let text = URL_SAFE_NO_PAD.decode(token.strip_prefix(TOKEN_PREFIX)?).ok()?;
    let text = String::from_utf8(text).ok()?;
    if let Some(cursor) = text.strip_prefix('a') {
        return cursor.parse().ok().map(Turn::After);
    }
    text.strip_prefix('b')?.parse().ok().map(Turn::Before)
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;
    use crate::storage::{Cursor, UnixMs};

    fn query(uri: &str) -> Query {
        Query::of(&uri.parse().unwrap())
    }

    fn attribute<T>(result: Result<T, Refusal>) -> &'static str {
        match result.err() {
            Some(Refusal::Invalid(errors)) => errors[0].attribute,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn parameters_have_their_kinds() {
        let query = query("/rooms?a=&b=true&b=0&on=2022-01-01&n=7&x=maybe");
        assert_eq!((query.text("a"), query.text("b"), query.text("c")), (None, Some("0"), None));
        assert_eq!((query.flag("b"), query.flag("none")), (Ok(false), Ok(false)));
        assert_eq!(query.moment("on"), Ok(Some(1_640_995_200)));
        assert_eq!((query.number("n", 7), query.number::<u64>("none", 1)), (Ok(Some(7)), Ok(None)));
        assert_eq!(attribute(query.flag("x")), "x");
        assert_eq!(attribute(query.moment("x")), "x");
        assert_eq!(attribute(query.number("n", 8)), "n");
    }

    #[test]
    fn pages_beyond_the_first_need_their_token() {
        let wrong = [
            ("page_size=0", "page_size"),
            ("page_size=1001", "page_size"),
            ("page_size=many", "page_size"),
            ("page_number=-1", "page_number"),
            ("page_number=1", "page_token"),
            ("page_token=PA", "page_token"),
            ("page_token=PA!!", "page_token"),
            ("page_token=YTEuMQ", "page_token"),
        ];
        for (parameters, name) in wrong {
            assert_eq!(
                attribute(query(&format!("/rooms?{parameters}")).paging::<Cursor>()),
                name,
                "{parameters}"
            );
        }
        let paging = query("/rooms").paging::<Cursor>().unwrap();
        assert_eq!(paging.slice, Slice { turn: Turn::First, limit: 50 });
        assert_eq!(query("/rooms?page_size=1000").paging::<Cursor>().unwrap().slice.limit, 1000);
    }

    #[tokio::test]
    async fn links_lead_to_both_sides_and_keep_the_filters() {
        let cursor = |at: &i64| Cursor { at: UnixMs(*at), id: format!("id {at}") };
        let uri = "/rooms?page_size=2&name=a%26b";
        let asked = query(uri);
        let page = Page { rows: vec![9, 8], is_preceded: false, is_followed: true };
        let response =
            asked.paging::<Cursor>().unwrap().render("http://h", &asked, &page, cursor, |at| json!(at));
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["data"], json!([9, 8]));
        assert_eq!(body["links"]["first"], "http://h/rooms?name=a%26b&page_number=0&page_size=2");
        assert_eq!(body["links"]["self"], body["links"]["first"]);
        assert_eq!(body["links"].get("prev"), None);
        let next = body["links"]["next"].as_str().unwrap();
        let asked = query(next.strip_prefix("http://h").unwrap());
        let paging = asked.paging::<Cursor>().unwrap();
        assert_eq!((paging.number, &paging.slice.turn), (1, &Turn::After(cursor(&8))));

        // Everything after it was deleted meanwhile.
        let empty = Page { rows: Vec::new(), is_preceded: true, is_followed: false };
        let response = paging.render("http://h", &asked, &empty, cursor, |at| json!(at));
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let back = body["links"]["prev"].as_str().unwrap().strip_prefix("http://h").unwrap();
        assert_eq!(query(back).paging::<Cursor>().unwrap().slice.turn, Turn::Before(cursor(&8)));
    }
}
