//! The rest of a body that nobody reads: it ends the connection, however the body was announced.
//!
//! Who is answered before all of the body has come, as where it is too large or the token is wrong, may go on sending it, or
//! wait for ever. The HTTP library closes such a connection after a while, but for one case: a body in chunks whose
//! reader is gone it reads on to its end, and a stranger who never sends that end keeps one of the few connections. So
//! the reader is kept until the answer is written, as if somebody still had a use for it.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::HttpMessage;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::web::Bytes;
use futures_util::{StreamExt, stream};

/// The reader of the body of one request, which whoever answers it reads from and cannot drop.
pub(crate) struct Reader {
    _kept: Rc<RefCell<Payload>>,
}

impl Reader {
    /// Keeps the reader of a request.
    pub(crate) fn keep(request: &mut ServiceRequest) -> Reader {
        let kept = Rc::new(RefCell::new(request.take_payload()));
        let read = kept.clone();
        let parts = stream::poll_fn(move |cx| read.borrow_mut().poll_next_unpin(cx));
        request.set_payload(Payload::from(Box::pin(parts) as Pin<Box<_>>));
        Reader { _kept: kept }
    }

    /// Lets it go when the answer is written.
    pub(crate) fn until_written(self, answer: ServiceResponse<BoxBody>) -> ServiceResponse<Answer> {
        answer.map_body(|_, body| Answer { body, _reader: self })
    }
}

/// The body of an answer, and with it the reader of what was asked.
pub(crate) struct Answer {
    body: BoxBody,
    _reader: Reader,
}

impl MessageBody for Answer {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.body.as_pin_mut().poll_next(cx)
    }
}
