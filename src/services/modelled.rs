//! A model in place of the network, for tests that run on one thread: all else of a service is as it is.

use super::{CallError, Prepared};
use crate::call::Answer;
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;

pub(crate) type Exchange = Pin<Box<dyn Future<Output = Result<Answer, CallError>> + Send>>;

/// What answers on this thread: given a call and its key.
pub(crate) type Model = Rc<dyn Fn(&Prepared, Option<&str>) -> Exchange>;

thread_local! {
    static MODEL: RefCell<Option<Model>> = const { RefCell::new(None) };
}

/// From now on this answers all calls that are sent from this thread.
pub(crate) fn answer_by(model: Model) {
    MODEL.with_borrow_mut(|it| *it = Some(model));
}

pub(super) fn exchange(prepared: &Prepared, key: Option<&str>) -> Option<Exchange> {
    let model = MODEL.with_borrow(Clone::clone)?;
    Some(model(prepared, key))
}
