//! Lists, those of the event included: what goes through them counts each turn and never swallows an error, as Rhai's
//! own `sort`, `dedup`, `filter` and `retain` do.

mod callbacks;
mod changing;
mod order;
mod reading;

use crate::script::frozen::FrozenList;
use rhai::{Array, Engine};

pub(super) fn register(engine: &mut Engine) {
    reading::register::<Array>(engine, |it| it);
    reading::register::<FrozenList>(engine, FrozenList::items);
    callbacks::register::<Array>(engine, |it| it);
    callbacks::register::<FrozenList>(engine, FrozenList::items);
    changing::register(engine);
    order::register(engine);
    engine.register_iterator::<Array>();
}
