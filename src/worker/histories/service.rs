use crate::call::Answer;
use crate::services::{CallError, Prepared};
pub(in crate::worker) struct Model;
impl Model {
    pub(in crate::worker) async fn send(&self, _p: &Prepared, _k: Option<&str>) -> Result<Answer, CallError> {
        Err(CallError::NotSent { message: String::new() })
    }
}
