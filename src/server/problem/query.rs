//! Why a question about state is not answered, as a problem document and back.
//!
//! The document's `code` is the kind of the error, as `rolled-back`; what else is known of it stands beside, as `base`.

use actix_web::http::StatusCode;
use serde_json::{Map, Value};
use watershed_runtime::query::QueryError;

use super::{Document, Problem};

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        let (code, members) = told(&error);
        Problem { code: Some(code), members, ..Problem::new(status(&error), error.to_string()) }
    }
}

impl From<QueryError> for Document {
    fn from(error: QueryError) -> Self {
        Problem::from(error).document()
    }
}

/// Its kind, and what is known of it.
fn told(error: &QueryError) -> (String, Map<String, Value>) {
    let word = |kind: &str| kind.replace('_', "-");
    match serde_json::to_value(error).expect("an error is plain data") {
        Value::String(kind) => (word(&kind), Map::new()),
        Value::Object(kinds) => match kinds.into_iter().next() {
            Some((kind, Value::Object(members))) => (word(&kind), members),
            other => unreachable!("an error has named fields: {other:?}"),
        },
        other => unreachable!("an error has a kind: {other}"),
    }
}

impl Document {
    /// The error of a question about state that the document tells, if it tells one.
    pub fn query_error(&self) -> Option<QueryError> {
        let kind = self.code.as_ref()?.replace('-', "_");
        let alone = || serde_json::from_value(Value::String(kind.clone())).ok();
        let known = Value::Object(Map::from_iter([(kind.clone(), Value::Object(self.members.clone()))]));
        serde_json::from_value(known).ok().or_else(alone)
    }
}

fn status(error: &QueryError) -> StatusCode {
    match error {
        QueryError::NoJob { .. } | QueryError::NoState { .. } | QueryError::NoCheckpoint { .. } => {
            StatusCode::NOT_FOUND
        }
        QueryError::NoKey { .. }
        | QueryError::NoInput { .. }
        | QueryError::Unfit { .. }
        | QueryError::TokenInvalid { .. }
        | QueryError::Refused { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        QueryError::RolledBack { .. } | QueryError::NotRunning { .. } => StatusCode::CONFLICT,
        QueryError::Forked { .. } | QueryError::TokenExpired => StatusCode::GONE,
        QueryError::ReadOnly { .. } => StatusCode::FORBIDDEN,
        QueryError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        QueryError::Unavailable { .. } | QueryError::ClockSkew { .. } | QueryError::Busy { .. } => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        QueryError::Unknown { .. } => StatusCode::GATEWAY_TIMEOUT,
        // What a newer runtime may say, too.
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use watershed_core::causal::Lane;
    use watershed_core::{Counter, Epoch, Lineage, Run, Site, SplitId};
    use watershed_runtime::query::{AsOf, Level, Undone};

    use super::*;

    fn errors() -> Vec<(&'static str, u16, QueryError)> {
        let text = || "x".to_owned();
        let lane = Lane { run: Run(2), epoch: Epoch(8), site: Site(1) };
        let undone = vec![Undone { lane, up_to: Counter(3), by: Run(3) }];
        let as_of = Level::AsOf(AsOf::Epoch(Epoch(7)));
        vec![
            ("no-job", 404, QueryError::NoJob { job: text(), known: vec![] }),
            ("no-state", 404, QueryError::NoState { name: text(), known: vec![text()] }),
            ("no-key", 422, QueryError::NoKey { reason: text() }),
            ("no-input", 422, QueryError::NoInput { name: text(), split: SplitId(1), known: vec![] }),
            ("unfit", 422, QueryError::Unfit { level: as_of, why: text() }),
            ("unavailable", 503, QueryError::Unavailable { missing: text() }),
            (
                "rolled-back",
                409,
                QueryError::RolledBack { from_run: Run(2), to_run: Run(3), base: Some(Epoch(7)), undone },
            ),
            ("forked", 410, QueryError::Forked { from: Lineage(0), to: Lineage(1) }),
            ("token-expired", 410, QueryError::TokenExpired),
            ("token-invalid", 422, QueryError::TokenInvalid { why: text() }),
            ("clock-skew", 503, QueryError::ClockSkew { ahead_ms: 900, max_ms: 500 }),
            ("not-running", 409, QueryError::NotRunning { job: text() }),
            ("refused", 422, QueryError::Refused { why: text() }),
            ("read-only", 403, QueryError::ReadOnly { state: text() }),
            ("too-large", 413, QueryError::TooLarge { what: text(), found: 9, max: 8 }),
            ("busy", 503, QueryError::Busy { max: 1 }),
            ("no-checkpoint", 404, QueryError::NoCheckpoint { asked: None, newest: Some(Epoch(7)) }),
            ("unreadable", 500, QueryError::Unreadable { why: text() }),
            ("unknown", 504, QueryError::Unknown { why: text() }),
        ]
    }

    #[test]
    fn each_error_has_its_code_and_status_and_comes_back_from_its_document() {
        for (code, status, error) in errors() {
            let document = Document::from(error.clone());
            assert_eq!((document.code.as_deref(), document.status), (Some(code), status));
            assert_eq!(document.detail, error.to_string());
            let sent = serde_json::to_string(&document).unwrap();
            let come: Document = serde_json::from_str(&sent).unwrap();
            assert_eq!(come.query_error(), Some(error), "{sent}");
        }
    }

    #[test]
    fn what_was_undone_is_told_in_members_of_the_document() {
        let (.., error) = errors().into_iter().find(|(code, ..)| *code == "rolled-back").unwrap();
        let sent = serde_json::to_value(Document::from(error)).unwrap();
        let known = (&sent["from_run"], &sent["to_run"], &sent["base"]);
        assert_eq!(known, (&2.into(), &3.into(), &7.into()));
        assert_eq!(sent["undone"][0]["up_to"], 3);
    }

    #[test]
    fn another_problem_is_no_error_of_a_question() {
        assert_eq!(Problem::unknown_path().document().query_error(), None);
        let other = Document { code: Some("unheard-of".to_owned()), ..Problem::unknown_path().document() };
        assert_eq!(other.query_error(), None);
    }
}
